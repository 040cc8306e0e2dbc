"""Long-tailed targets, wild values, and metrics that want another middle than the mean."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_folder import JobFolder

from sproutml_toolkit import workspace
from sproutml_toolkit.adjustment import Adjustment, find_adjustment
from sproutml_toolkit.families import family
from sproutml_toolkit.families.fold import Fold
from sproutml_toolkit.families.logarithm import choose_logarithm
from sproutml_toolkit.metrics import METRICS_OF_TASK, score

METRICS = [metric if metric != "PINBALL" else "PINBALL@0.9" for metric in METRICS_OF_TASK["REGRESSION"]]


def table(kind: str, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """(rows, 3) features and values that are their sum, a sum with a long tail, an exponential, or one less a constant."""
    rng = np.random.default_rng(6)
    X = rng.normal(size=(rows, 3))
    if kind == "long sum":
        X = rng.gamma(0.5, 2.0, size=(rows, 3))
        return X, 1 + X @ [1.0, 2.0, 3.0] + 0.1 * rng.normal(size=rows).clip(-3, 3)
    line = X @ [1.0, -0.7, 0.3]
    if kind == "sum":
        return X, 20 + 4 * line + rng.normal(size=rows)
    return X, np.exp(line + 0.3 * rng.normal(size=rows)) - (0.5 if kind == "below 0" else 0.0)


def fold_of(X: np.ndarray, y: np.ndarray, metric: str) -> Fold:
    return Fold(
        X_train=None, y_train=y, X_valid=None, y_valid=y, task="REGRESSION", metric=metric, n_classes=0, features=[], seed=1,
        threads=1,
    )  # fmt: skip


@pytest.mark.parametrize("metric", [metric for metric in METRICS if metric != "RMSLE"])
@pytest.mark.parametrize(("kind", "pays"), [("sum", False), ("long sum", False), ("exponential", True), ("below 0", False)])
def test_logarithms_are_learnt_where_they_pay(metric: str, kind: str, pays: bool) -> None:
    X, y = table(kind)
    fold = fold_of(X, y, metric)
    chosen = choose_logarithm(X, fold, None)
    assert (chosen is not None) == pays
    assert bool(fold.notes) == pays


def test_logarithms_come_back_as_the_values_they_were_and_never_run_away() -> None:
    X, y = table("exponential")
    logarithm = choose_logarithm(X, fold_of(X, y, "RMSE"), True)
    assert logarithm is not None
    np.testing.assert_allclose(logarithm.values(logarithm.of(y)), y)
    assert logarithm.values(np.array([1e6]))[0] < 5 * y.max()
    assert choose_logarithm(X, fold_of(X, y, "RMSE"), False) is None


@pytest.mark.parametrize("name", ["LINEAR", "MLP"])
def test_a_trial_on_a_long_tail_says_that_it_learnt_logarithms(tmp_path, name: str) -> None:
    X, y = table("exponential")
    rows = [[*(f"{cell:.4f}" for cell in X[i]), f"{y[i]:.5f}"] for i in range(len(y))]
    job = JobFolder(tmp_path).write_rows(["a", "b", "c", "y"], rows).ready("y", metric="MAE")
    told = job.train("told", name)
    assert told["parameters"]["logarithm"]
    assert any("logarithms" in note for note in told["notes"])
    assert told["score"] < job.train("plain", name, params={"logarithm": False})["score"]


@pytest.mark.parametrize("name", ["LINEAR", "KNN", "RANDOM_FOREST", "EXTRA_TREES", "KERNEL"])
@pytest.mark.parametrize("metric", ["MAE", "MEDIAN_AE", "MAPE"])
def test_a_median_is_learnt_where_a_median_is_asked_for(tmp_path, name: str, metric: str) -> None:
    rng = np.random.default_rng(8)
    x = rng.uniform(1, 3, 500)
    y = 5 + x + x * rng.gamma(0.3, 4.0, 500)
    job = JobFolder(tmp_path).write_rows(["x", "y"], [[f"{x[i]:.4f}", f"{y[i]:.5f}"] for i in range(500)])
    params = {"n_estimators": 50} if name.endswith(("FOREST", "TREES")) else {}
    job.ready("y", metric="RMSE").train("mean", name, params=params)
    mean = job.trial("mean").oof
    job.ready("y", metric=metric).train("median", name, params=params)
    with job.inside():
        target = workspace.load_train().y
    assert score(metric, target, job.trial("median").oof) < 0.95 * score(metric, target, mean)


@given(st.sampled_from(METRICS), st.integers(0, 50), st.floats(0.2, 5), st.floats(-20, 20))
def test_adjusting_never_worsens_the_score_and_undoes_what_is_off_on_the_whole(
    metric: str, seed: int, factor: float, shift: float
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 10.0, 120)
    off = factor * y * rng.lognormal(0, 0.1, 120) + shift
    folds = np.arange(120) % 4
    adjustment, adjusted = find_adjustment(metric, y, off, folds)
    before, after = score(metric, y, off), score(metric, y, adjusted)
    assert after >= before if metric == "R2" else after <= before
    if adjustment == Adjustment():
        np.testing.assert_array_equal(adjusted, off)


def test_exponentials_of_mean_logarithms_become_means() -> None:
    rng = np.random.default_rng(2)
    middle = np.exp(rng.normal(size=4_000))
    y = middle * np.exp(rng.normal(0, 0.8, 4_000))
    adjustment, _ = find_adjustment("RMSE", y, middle, np.arange(4_000) % 5)
    assert adjustment.factor == pytest.approx(np.exp(0.8**2 / 2), rel=0.1)
    assert adjustment.shift == 0.0


@settings(max_examples=12, deadline=None)
@given(st.sampled_from(["LINEAR", "MLP", "KNN", "KERNEL"]), st.sampled_from([1e6, -1e6, 1e12, -1e12]), st.booleans())
def test_one_wild_value_does_not_spoil_the_answers_to_the_others(name: str, wild: float, in_target: bool) -> None:
    X, y = table("sum", 200)
    X, y = X.copy(), y.copy()
    if in_target:
        y[0] = wild
    else:
        X[0, 0] = wild
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    features = [{"name": column, "kind": "number"} for column in frame]
    module = family(name)
    fold = Fold(
        X_train=frame, y_train=y, X_valid=frame[1:], y_valid=y[1:], task="REGRESSION", metric="MAE", n_classes=0,
        features=features, seed=1, threads=1,
    )  # fmt: skip
    encoder, estimator, _ = module.fit(fold, dict(module.DEFAULTS))
    answers = estimator.predict_scores(encoder.transform(frame[1:]))
    spread = np.abs(y[1:] - np.median(y[1:])).mean()
    assert np.abs(answers - y[1:]).mean() < 0.7 * spread


@pytest.mark.parametrize("name", ["RANDOM_FOREST", "EXTRA_TREES", "KNN", "LINEAR", "KERNEL"])
def test_a_quantile_needs_no_adjusting_where_columns_say_nothing(name: str) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(800, 2)), columns=["a", "b"])
    y = rng.gamma(2.0, 5.0, 800)
    module = family(name)
    fold = Fold(
        X_train=frame[:400], y_train=y[:400], X_valid=frame[400:], y_valid=y[400:], task="REGRESSION", metric="PINBALL@0.9",
        n_classes=0, features=[{"name": column, "kind": "number"} for column in frame], seed=1, threads=1,
    )  # fmt: skip
    encoder, estimator, _ = module.fit(fold, dict(module.DEFAULTS))
    answers = estimator.predict_scores(encoder.transform(frame[400:]))
    assert np.mean(y[400:] <= answers) == pytest.approx(0.9, abs=0.06)
