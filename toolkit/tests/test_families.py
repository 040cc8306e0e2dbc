"""Every family learns every task, repeats itself, and never sees the targets of the rows it is scored on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from job_folder import QUICK, JobFolder, code_of
from sproutml_toolkit import workspace
from sproutml_toolkit.families import _MODULES
from sproutml_toolkit.families.fold import Fold
from sproutml_toolkit.features import FORMS, FeatureEncoder
from sproutml_toolkit.fitting import compact


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """More rows than folds of which are fitted side by side."""
    rng = np.random.default_rng(0)
    x, letters = rng.integers(0, 4, (26_000, 20)), rng.choice(list("abcdefgh"), 26_000)
    y = x[:, 0] * 2 - x[:, 1] + (letters == "a") * 2 + rng.normal(size=26_000) > 2
    rows = [[*map(str, cells), letter, "yes" if said else "no"] for cells, letter, said in zip(x, letters, y, strict=True)]
    folder = JobFolder(tmp_path_factory.mktemp("long"))
    return folder.write_rows([*(f"x{i}" for i in range(20)), "letter", "label"], rows).ready("label", folds=3)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 2))
    rows = [[f"{a:.3f}", f"{b:.3f}", "left" if a < -0.4 else "right" if a > 0.4 else "middle"] for a, b in x]
    return JobFolder(tmp_path_factory.mktemp("three")).write_rows(["a", "b", "side"], rows).ready("side", folds=3)


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(120, 2))
    rows = [[f"{a:.3f}", f"{b:.3f}", "ab"[i % 2], f"{5 + 2 * a - b + (i % 2):.4f}"] for i, (a, b) in enumerate(x)]
    return JobFolder(tmp_path_factory.mktemp("values")).write_rows(["a", "b", "k", "y"], rows).ready("y", folds=3)


@pytest.mark.parametrize("name", [family for family in _MODULES if family != "BASELINE"])
@pytest.mark.parametrize("kind", ["mixed", "three", "values"])
def test_a_family_beats_the_baseline(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    job = request.getfixturevalue(kind)
    baseline = job.train("baseline", "BASELINE")
    result = job.train(f"beats-{name}", name, params=QUICK.get(name, {}))
    better = result["score"] > baseline["score"] if kind == "mixed" else result["score"] < baseline["score"]
    assert better, (result["score"], baseline["score"])
    assert len(result["foldScores"]) == len(np.unique(np.load(job.folder / workspace.FOLDS)))
    trial = job.trial(f"beats-{name}")
    if kind != "values":
        assert np.allclose(trial.oof.sum(axis=1), 1.0)


@pytest.mark.parametrize("name", list(_MODULES))
def test_the_same_request_gives_the_same_bytes(mixed: JobFolder, name: str) -> None:
    kept = []
    for _ in range(2):
        mixed.train("again", name, params=QUICK.get(name, {}))
        kept.append((mixed.folder / "work/trials/again/oof.npy").read_bytes())
    assert kept[0] == kept[1]


@pytest.mark.parametrize("form", FORMS)
def test_an_encoder_is_fitted_on_training_rows_alone(mixed: JobFolder, form: str) -> None:
    """Whatever the validation rows hold, cells or targets, what was fitted stays the same."""
    with mixed.inside():
        table, folds, plan = workspace.load_train(), workspace.load_folds(), workspace.load_plan()
    held = folds == 0
    rng = np.random.default_rng(0)
    shuffled = workspace.Table(table.X.copy(), table.y.copy(), table.row_ids)
    order = rng.permutation(np.flatnonzero(held))
    shuffled.X.loc[held] = table.X.loc[order].to_numpy()
    shuffled.y[held] = 1 - table.y[held]
    matrices = []
    for source in (table, shuffled):
        base = Fold(source.X, source.y, source.X, source.y, "BINARY", "ROC_AUC", 2, plan["features"], 1, 1)
        fold, _ = compact(base, source, held)
        encoder, matrix, _ = fold.encode(form)
        matrices.append((matrix.values, encoder.transform(table.X[held]).values))
    assert np.array_equal(matrices[0][0], matrices[1][0], equal_nan=True)
    assert np.array_equal(matrices[0][1], matrices[1][1], equal_nan=True)


def test_target_encoding_of_a_training_row_does_not_know_its_own_target(job: JobFolder) -> None:
    """A column that names each row once says nothing: its encoding must not follow the target."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    X = pd.DataFrame({"id": [f"row {i}" for i in range(300)]}, dtype=object)
    encoder = FeatureEncoder([{"name": "id", "kind": "category"}], "ordinal", "BINARY", 0)
    encoded = encoder.fit_transform(X, y).values[:, -1]
    assert abs(np.corrcoef(encoded, y)[0, 1]) < 0.5
    assert len(np.unique(encoded.round(6))) < 10


def test_a_family_that_would_not_finish_in_time_is_stopped_after_its_first_fold(mixed: JobFolder) -> None:
    assert code_of(mixed.train, "slow", "KNN", timeLimitSeconds=0.0, threads=1) == "TRIAL_TOO_SLOW"
    assert not Path(mixed.folder, "work/trials/slow").exists()


@pytest.mark.parametrize("name", list(_MODULES))
def test_a_family_takes_the_largest_seed_that_a_job_may_have(mixed: JobFolder, name: str) -> None:
    assert 0.0 <= mixed.train("lucky", name, params=QUICK.get(name, {}), seed=1_000_000_000)["score"] <= 1.0


@pytest.mark.parametrize("name", ["LIGHTGBM", "CATBOOST", "RANDOM_FOREST", "EXTRA_TREES", "MLP"])
def test_a_family_that_stops_early_leaves_a_usable_model_at_its_deadline(mixed: JobFolder, name: str) -> None:
    result = mixed.train("hurried", name, timeLimitSeconds=0.0)
    assert 0.0 <= result["score"] <= 1.0


def test_an_unknown_family_is_refused_and_an_unknown_parameter_is_said(
    mixed: JobFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(mixed.train, "x", "XGBOOST") == "FAMILY_UNKNOWN"
    mixed.train("x", "LIGHTGBM", params={"rounds": 5, "colour": 1})
    assert "LIGHTGBM has no parameter colour" in capsys.readouterr().out


def test_a_parameter_the_library_refuses_fails_the_trial_not_the_toolkit(mixed: JobFolder) -> None:
    assert code_of(mixed.train, "x", "LIGHTGBM", params={"num_leaves": -3}) == "TRIAL_FAILED"
    assert code_of(mixed.train, "x", "RANDOM_FOREST", params={"criterion": "magic"}) == "TRIAL_FAILED"


def test_an_ensemble_is_no_worse_than_its_best_member_on_the_rows_it_was_chosen_on(mixed: JobFolder) -> None:
    results = [mixed.train(name.lower(), name, params=QUICK.get(name, {})) for name in ("LIGHTGBM", "LINEAR", "BASELINE")]
    ensemble = mixed.ensemble("together", ["lightgbm", "linear", "baseline"])
    assert ensemble["score"] >= max(result["score"] for result in results)
    assert sum(ensemble["weights"].values()) == pytest.approx(1.0)
    sizes = {result["trialId"]: result["modelBytes"] for result in results}
    assert ensemble["modelBytes"] == sum(sizes[member] for member in ensemble["weights"]) > 0
    assert "baseline" not in ensemble["weights"]
    with mixed.inside():
        trial, train_rows = workspace.load_trial("together"), workspace.load_train()
        scores = trial.model.predict_scores(train_rows.X)
    assert scores.shape == trial.oof.shape
    assert code_of(mixed.ensemble, "nested", ["together"]) == "REQUEST_INVALID"


@pytest.mark.parametrize("name", ["LIGHTGBM", "CATBOOST", "RANDOM_FOREST", "LINEAR", "MLP", "KNN", "KERNEL"])
@pytest.mark.parametrize("metric", ["RMSE", "MAPE", "RMSLE"])
@pytest.mark.parametrize(("centre", "spread"), [(1e12, 1e3), (3e-9, 1e-9), (3e15, 1e15)])
def test_a_target_of_any_size_is_learnt(
    tmp_path: Path, name: str, metric: str, centre: float, spread: float
) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=160)
    job = JobFolder(tmp_path)
    job.write_rows(["x", "y"], [[f"{value:.4f}", f"{centre + spread * value:.17g}"] for value in x]).ready("y", metric=metric)
    shift = job.train("shift", name, params=QUICK.get(name, {}))
    assert shift["score"] < 0.5 * job.train("baseline", "BASELINE")["score"]


def test_the_baseline_ranks_no_row_above_another(mixed: JobFolder) -> None:
    assert mixed.train("constant", "BASELINE")["score"] == 0.5


@pytest.mark.parametrize("name", ["CATBOOST", "LIGHTGBM", "MLP", "LINEAR", "KERNEL"])
def test_where_time_is_a_guard_rail_more_threads_change_nothing_but_the_time(long: JobFolder, name: str) -> None:
    params = {"MLP": {"hidden": [32], "epochs": 2}, "LINEAR": {}}.get(name, {"rounds": 60})
    results = [
        long.train(f"{threads}", name, params=params, threads=threads, timeIsGuard=True, timeLimitSeconds=600) for threads in (1, 3)
    ]
    assert results[0]["foldScores"] == results[1]["foldScores"]
    assert np.array_equal(long.trial("1").oof, long.trial("3").oof)


def test_two_far_values_are_no_larger_to_a_network_than_any_other_column() -> None:
    """A date within two years was 2011 or 2012 beside columns around 0, and networks learnt nothing else of the table."""
    dates = pd.Series(pd.to_datetime(["2011-12-30", "2012-01-02"] * 20))
    two, three = np.array([5e6, 7e6] * 20), np.array([1.0, 2.0, 9.0, 4.0] * 10)
    kinds = [("when", "date parts"), ("two", "number"), ("three", "number")]
    encoder = FeatureEncoder([{"name": name, "kind": kind} for name, kind in kinds], "dense", "REGRESSION", 0)
    train = encoder.fit_transform(pd.DataFrame({"when": dates, "two": two, "three": three}), three)
    assert np.abs(train.values).max() <= 5
    years = train.values[:, encoder.names.index("when year")]
    assert set(years) == {0.0, 1.0}
    later = pd.DataFrame({"when": pd.to_datetime(["2013-01-01", "2040-01-01"]), "two": [1e9, np.nan], "three": [3.0, 3.0]})
    assert np.abs(encoder.transform(later).values).max() <= 5


def test_a_kernel_machine_learns_a_smooth_surface_that_trees_cut_into_steps(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=(400, 3))
    y = np.sin(x[:, 0] * 2) * x[:, 1] + x[:, 2] ** 2 + rng.normal(0, 0.05, 400)
    job = JobFolder(tmp_path)
    job.write_rows(["a", "b", "c", "y"], [[*(f"{v:.4f}" for v in row), f"{v:.4f}"] for row, v in zip(x, y, strict=True)])
    job.ready("y", folds=4)
    kernel, others = job.train("k", "KERNEL")["score"], [job.train(n, n)["score"] for n in ("LIGHTGBM", "EXTRA_TREES", "LINEAR")]
    assert kernel < 0.5 * min(others)


def test_a_kernel_machine_of_many_rows_keeps_to_some_and_says_so(
    mixed: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sproutml_toolkit.families.kernel._MOST_ROWS", 40)
    assert "it learns from 40 of the training rows" in mixed.train("few", "KERNEL")["notes"]
    assert mixed.trial("few").oof.shape == (len(mixed.trial("few").oof), 2)


@pytest.mark.parametrize("name", ["EXTRA_TREES", "RANDOM_FOREST"])
def test_a_fully_grown_forest_is_never_quite_sure(three: JobFolder, name: str) -> None:
    """Trees that all hold one row of the wrong class would else cost an infinite log loss."""
    grown = three.train("grown", name, params={"min_samples_leaf": 1, "bootstrap": False, "n_estimators": 20})
    trial = three.trial("grown")
    with three.inside():
        rows = workspace.load_train().X
    forest = getattr(trial.model, "model", trial.model).members[0]
    assert forest.predict_scores(rows).min() == pytest.approx(1 / 3 / 21)
    assert grown["score"] < three.train("baseline", "BASELINE")["score"]
