"""PINBALL: the quantile that was asked for is learnt by every family, kept by the ensemble, and told by the report."""

import json

import numpy as np
import pytest
from finished_job import delays
from job_folder import JobFolder, code_of
from sklearn.linear_model import QuantileRegressor

from sproutml_toolkit import workspace
from sproutml_toolkit.caveats import caveats
from sproutml_toolkit.families.absolute import Aim, linear_quantile, quantiles
from sproutml_toolkit.metrics import score

FAMILIES = ["LIGHTGBM", "CATBOOST", "LINEAR", "RANDOM_FOREST", "EXTRA_TREES", "KNN", "MLP", "KERNEL"]
QUICK = {"LIGHTGBM": {"rounds": 150}, "CATBOOST": {"rounds": 150}, "RANDOM_FOREST": {"n_estimators": 50}}


def spreading(folder, rows: int = 500) -> JobFolder:
    """Values that scatter the wider the larger `a` is: no constant above the mean is their quantile."""
    rng = np.random.default_rng(4)
    a, b = rng.uniform(0, 4, rows), rng.normal(size=rows)
    y = 10 * b + 40 + (0.5 + 3 * a) * rng.normal(size=rows)
    return JobFolder(folder).write_rows(["a", "b", "y"], [[f"{a[i]:.4f}", f"{b[i]:.4f}", f"{y[i]:.4f}"] for i in range(rows)])


@pytest.fixture(scope="module")
def ninety(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    return spreading(tmp_path_factory.mktemp("ninety")).ready("y", metric="PINBALL", quantile=0.9)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_the_quantile_that_was_asked_for(ninety: JobFolder, name: str) -> None:
    trial = ninety.train(name.lower(), name, params=QUICK.get(name, {}))
    assert trial["score"] < 0.75 * ninety.train("baseline", "BASELINE")["score"]
    with ninety.inside():
        y, oof = workspace.load_train().y, workspace.load_oof(name.lower())
    assert np.mean(y <= oof) == pytest.approx(0.9, abs=0.06)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "MLP"])
def test_answers_hold_as_often_where_values_scatter_much_as_where_they_scatter_little(ninety: JobFolder, name: str) -> None:
    ninety.train(name.lower(), name, params=QUICK.get(name, {}))
    with ninety.inside():
        rows, oof = workspace.load_train(), workspace.load_oof(name.lower())
    below, wide = rows.y <= oof, rows.X["a"].to_numpy() > 2
    assert below[~wide].mean() - below[wide].mean() < 0.09


@pytest.mark.parametrize("name", ["LIGHTGBM", "CATBOOST"])
def test_a_booster_of_the_mean_is_shifted_to_the_quantile(ninety: JobFolder, name: str) -> None:
    trial = ninety.train("mean", name, params=QUICK[name] | {"mean": True})
    assert any("adjusted" in note for note in trial["notes"])
    with ninety.inside():
        y, oof = workspace.load_train().y, workspace.load_oof("mean")
    assert np.mean(y <= oof) == pytest.approx(0.9, abs=0.03)


def test_the_baseline_is_the_quantile(ninety: JobFolder) -> None:
    ninety.train("baseline", "BASELINE")
    with ninety.inside():
        y, trial = workspace.load_train(), workspace.load_trial("baseline")
    assert trial.model.predict_scores(y.X)[0] == pytest.approx(np.quantile(y.y, 0.9), rel=0.02)


def test_the_median_is_asked_for_where_no_quantile_is(tmp_path) -> None:
    job = spreading(tmp_path)
    assert job.profile("y", metric="PINBALL")["quantile"] == 0.5
    assert job.profile("y", metric="PINBALL", quantile=0.25)["quantile"] == 0.25
    assert job.profile("y", metric="MAE")["quantile"] is None


@pytest.mark.parametrize(
    ("metric", "quantile", "code"),
    [
        ("PINBALL", 0, "REQUEST_INVALID"), ("PINBALL", 1, "REQUEST_INVALID"), ("PINBALL", -0.1, "REQUEST_INVALID"),
        ("MAE", 0.9, "QUANTILE_WITHOUT_PINBALL"), (None, 0.9, "QUANTILE_WITHOUT_PINBALL"),
    ],
)  # fmt: skip
def test_a_quantile_that_cannot_be_meant_is_refused(tmp_path, metric: str | None, quantile: float, code: str) -> None:
    assert code_of(spreading(tmp_path).profile, "y", metric=metric, quantile=quantile) == code


def test_pinball_loss_weighs_errors_by_their_side() -> None:
    assert score("PINBALL@0.9", np.array([10.0, 10.0]), np.array([8.0, 12.0])) == pytest.approx((0.9 * 2 + 0.1 * 2) / 2)
    y, answers = np.arange(5.0), np.ones(5)
    assert score("PINBALL@0.5", y, answers) == pytest.approx(score("MAE", y, answers) / 2)


def test_a_finished_job_tells_how_often_its_answers_hold() -> None:
    out = delays() / "out"
    facts = json.loads((out / "metrics.json").read_text())
    assert facts["metric"] == "PINBALL"
    assert facts["coverage"]["wanted"] == 0.9
    assert facts["coverage"]["holdout"] == pytest.approx(0.9, abs=0.12)
    assert "PINBALL" in facts["validation"] and "PINBALL" in facts["holdout"]
    page = (out / "report.html").read_text()
    assert "at or above delay in 90% of rows" in page
    assert "of all dots are to lie on or above" in page


@pytest.mark.parametrize(("share", "warned"), [(0.9, False), (0.88, False), (0.7, True), (0.99, True)])
def test_answers_that_hold_too_seldom_or_too_often_are_warned_of(share: float, warned: bool) -> None:
    evaluation = {
        "metric": "PINBALL", "validation": {"PINBALL": 1.0}, "baseline": {"validation": 2.0, "holdout": 2.0},
        "holdout": {"PINBALL": 1.0}, "interval": {"low": 0.9, "high": 1.1}, "gap": 0.0, "rows": 300, "importances": None,
        "coverage": {"wanted": 0.9, "validation": 0.9, "holdout": share},
    }  # fmt: skip
    codes = [warning["code"] for warning in caveats(evaluation, {"task": "REGRESSION"}, np.zeros(0), np.zeros(0))]
    assert codes == (["COVERAGE_OFF"] if warned else [])


def test_weighted_quantiles_are_numpys_where_weights_are_alike_and_count_rows_where_not() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 7))
    for quantile in (0.02, 0.3, 0.5, 0.9, 0.999):
        expected = np.quantile(values, quantile, axis=1, method="hazen")
        np.testing.assert_allclose(quantiles(values, np.full((40, 7), 3.0), quantile), expected)
    assert quantiles(np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 1.0, 1e9]]), 0.5)[0] == pytest.approx(3.0, abs=1e-6)
    assert quantiles(np.array([[5.0]]), np.array([[1.0]]), 0.9)[0] == 5.0


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_line_through_a_quantile_is_that_of_a_linear_program(quantile: float) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    y = X @ [3.0, -1.0, 0.0] + 100 + (1 + np.abs(X[:, 0])) * rng.gamma(2.0, 2.0, 400)
    exact = QuantileRegressor(quantile=quantile, alpha=0).fit(X, y)
    slopes, constant = linear_quantile(X, y, Aim(quantile, None), 1e-3, np.zeros(3), float(y.mean()))
    metric = f"PINBALL@{quantile}"
    assert score(metric, y, X @ slopes + constant) < 1.01 * score(metric, y, exact.predict(X))
