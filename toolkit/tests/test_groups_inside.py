"""Where rows come in groups or in time, what is chosen or encoded inside a fold keeps groups or stretches of time whole as well."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_folder import JobFolder
from sproutml_toolkit import leaks, workspace
from sproutml_toolkit.families import family, kernel
from sproutml_toolkit.families.fold import Fold
from sproutml_toolkit.families.logarithm import choose_logarithm
from sproutml_toolkit.features import FeatureEncoder
from sproutml_toolkit.generated import GeneratingEncoder
from sproutml_toolkit.inner_split import deal_inside, kept_whole
from sproutml_toolkit.learning_curve import learning_curve
from sproutml_toolkit.workspace import Table

ROWS, GROUPS = 600, 40


def known_by_heart(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """(columns, values, groups): a group's twelve noisy marks name it, and its value is its own: of other groups they say nothing."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.arange(ROWS) % GROUPS)
    marks = rng.normal(size=(GROUPS, 12))[groups] + 0.05 * rng.normal(size=(ROWS, 12))
    own = rng.normal(size=GROUPS)[groups]
    frame = pd.DataFrame(marks, columns=[f"m{place}" for place in range(12)])
    frame["hint"] = rng.normal(size=ROWS)
    return frame, own + 0.3 * frame["hint"].to_numpy() + 0.05 * rng.normal(size=ROWS), groups


def fold_of(frame: pd.DataFrame, y: np.ndarray, groups: np.ndarray | None, task: str = "REGRESSION", metric: str = "RMSE") -> Fold:
    features = [{"name": name, "kind": "category" if frame[name].dtype == object else "number"} for name in frame]
    return Fold(
        X_train=frame, y_train=y, X_valid=frame[:0], y_valid=y[:0], task=task, metric=metric,
        n_classes=len(np.unique(y)) if task != "REGRESSION" else 0, features=features, seed=1, threads=1, exact=True, groups=groups,
    )  # fmt: skip


def test_inner_parts_keep_groups_whole_and_rows_of_one_group_are_dealt_by_chance() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 500)
    parts = deal_inside(np.arange(500) % 3, groups, 5, rng)
    assert set(parts) == set(range(5))
    assert all(len(set(parts[groups == group])) == 1 for group in range(30))
    assert set(deal_inside(np.zeros(500), groups % 2, 5, rng)) == {0, 1}
    assert set(deal_inside(np.zeros(500), groups * 0, 5, rng)) == set(range(5))


@pytest.mark.parametrize("generate", [False, True])
def test_a_training_rows_encoding_knows_no_target_of_its_group(generate: bool) -> None:
    rng = np.random.default_rng(1)
    groups = np.arange(400) % 20
    X = pd.DataFrame({"ward": [f"ward {group}" for group in groups]}, dtype=object)
    y = rng.normal(size=400)
    changed = np.where(groups == 7, y + 100.0, y)

    def encoded(target: np.ndarray) -> np.ndarray:
        form = "native" if generate else "ordinal"
        plain = FeatureEncoder([{"name": "ward", "kind": "category"}], form, "REGRESSION", 0)
        return (GeneratingEncoder(plain) if generate else plain).fit_transform(X, target, groups).values[:, -1]

    before, after = encoded(y), encoded(changed)
    assert np.array_equal(before[groups == 7], after[groups == 7])
    assert not np.array_equal(before[groups != 7], after[groups != 7])


@pytest.mark.parametrize(("name", "parameter"), [("LINEAR", "alpha"), ("KNN", "n_neighbors")])
def test_values_are_smoothed_more_where_new_rows_are_of_other_groups(name: str, parameter: str) -> None:
    frame, y, groups = known_by_heart()
    module = family(name)
    alone, whole = (module.fit(fold_of(frame, y, of), dict(module.DEFAULTS))[2][parameter] for of in (None, groups))
    assert whole > 3 * alone


@pytest.mark.parametrize("classes", [False, True])
def test_a_kernel_machine_is_chosen_by_answers_that_know_no_target_of_their_group(classes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[np.ndarray] = []
    ridge = kernel._ridge

    def noted(features: np.ndarray, targets: np.ndarray, alpha: float | None, parts: np.ndarray | None):
        assert parts is not None
        seen.append(parts)
        changed = targets + 5.0 * (parts == 0)[:, None]
        before, after = (ridge(features, of, 1.0, parts)[3][parts == 0] for of in (targets, changed))
        np.testing.assert_allclose(before, after)
        return ridge(features, targets, alpha, parts)

    monkeypatch.setattr(kernel, "_ridge", noted)
    frame, y, groups = known_by_heart()
    fold = fold_of(frame, (y > 0).astype(int), groups, "BINARY", "LOG_LOSS") if classes else fold_of(frame, y, groups)
    kernel.fit(fold, dict(kernel.DEFAULTS) | {"alpha": 1.0, "gamma": 0.1})
    assert len(seen) == 1 and all(len(set(seen[0][groups == group])) == 1 for group in range(GROUPS))
    kernel.fit(fold, dict(kernel.DEFAULTS) | {"alpha": 1.0})
    assert len(seen) > 2


@pytest.mark.parametrize(("name", "parameter", "stronger"), [("LINEAR", "C", -1), ("KNN", "n_neighbors", 1)])
def test_classes_are_smoothed_more_where_new_rows_are_of_other_groups(name: str, parameter: str, stronger: int) -> None:
    frame, y, groups = known_by_heart()
    module, classes = family(name), (y > 0).astype(int)
    found = [module.fit(fold_of(frame, classes, of, "BINARY", "LOG_LOSS"), dict(module.DEFAULTS))[2][parameter] for of in (None, groups)]
    assert stronger * found[1] > stronger * found[0]


def test_the_choice_of_logarithms_is_made_between_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from sproutml_toolkit.families import logarithm

    seen: list[np.ndarray] = []
    monkeypatch.setattr(logarithm, "_losses", lambda values, y, parts, metric, found: seen.append(parts) or (1.0, 1.0))
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 9, 300)
    choose_logarithm(rng.normal(size=(300, 2)), fold_of(pd.DataFrame({"x": groups}), np.exp(rng.normal(size=300)), groups), None)
    order = np.random.default_rng(1).permutation(300)
    assert all(len(set(seen[0][groups[order] == group])) == 1 for group in range(9))


def test_a_column_that_names_the_group_is_no_leak_where_groups_are_kept_whole() -> None:
    rng = np.random.default_rng(4)
    groups = rng.permutation(np.arange(400) % 8)
    classes = groups % 2
    X = pd.DataFrame({"name": [f"site {group}" for group in groups]}, dtype=object)
    found = [leaks.strengths(Table(X, classes, np.arange(400), of), ["name"], "BINARY", 2, 0)["name"] for of in (None, groups)]
    assert found[0] > 0.9 and abs(found[1]) < 0.5


def test_halves_of_a_table_of_groups_are_halves_of_its_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    from sproutml_toolkit import learning_curve as module

    halves: list[set[int]] = []

    def noted(table: Table, fitted: np.ndarray, *_: object) -> float:
        halves.append(set(table.groups[fitted]))
        return 1.0

    monkeypatch.setattr(module, "_quick_loss", noted)
    frame, y, groups = known_by_heart()
    table = Table(frame, y, np.arange(ROWS), groups)
    learning_curve(table, groups % 4, [{"name": "hint"}], "REGRESSION", "RMSE", 0, 10.0)
    assert len(halves) == 12
    assert not halves[0] & halves[1] and halves[0] | halves[1] == halves[2]


def test_a_job_by_group_hands_its_groups_to_every_fit(job: JobFolder) -> None:
    rng = np.random.default_rng(5)
    rows = [[f"w{i % 12}", f"ward {i % 12}", f"{rng.normal():.3f}", f"{(i % 12) + rng.normal():.3f}"] for i in range(240)]
    job.write_rows(["who", "ward", "x", "y"], rows).ready("y", groupColumn="who")
    with job.inside():
        train, holdout = workspace.load_train(), workspace.load_holdout()
    for part in (train, holdout):
        assert part.groups is not None and part.moments is None
        assert [f"w{i % 12}" for i in part.row_ids] == [f"w{group}" for group in part.groups]
    by_group = job.train("linear", "LINEAR")["score"]
    job.ready("y", groupColumn=None).train("rows", "LINEAR")
    with job.inside():
        assert workspace.load_train().groups is None
    assert np.isfinite(by_group)


@given(st.lists(st.integers(0, 200), min_size=2, max_size=400))
def test_stretches_of_time_follow_each_other_and_part_no_moment(times: list[int]) -> None:
    moments = np.array(times)
    whole = kept_whole(Table(pd.DataFrame(index=range(len(times))), moments * 0.0, np.arange(len(times)), None, moments))
    assert whole is not None
    assert all(len(set(whole[moments == moment])) == 1 for moment in times)
    assert (np.diff(whole[np.argsort(moments, kind="stable")]) >= 0).all()
    if len(set(times)) == len(times) >= 40:
        assert np.bincount(whole).max() - np.bincount(whole).min() <= 1
        assert len(set(whole)) == 20


def test_rows_without_groups_or_time_are_each_their_own() -> None:
    assert kept_whole(Table(pd.DataFrame(index=range(3)), np.zeros(3), np.arange(3))) is None


def test_a_job_by_time_hands_stretches_of_it_to_every_fit(job: JobFolder) -> None:
    """Marks name the hour by heart, and of other hours they say nothing: dealt by chance, they would seem worth learning."""
    frame, y, hours = known_by_heart()
    rows = [[f"{hours[i]}", *[f"{mark:.4f}" for mark in frame.iloc[i]], f"{y[i]:.4f}"] for i in range(ROWS)]
    job.write_rows(["hour", *frame.columns, "y"], rows).ready("y", timeColumn="hour", ignoreColumns=["hour"])
    by_time = job.train("time", "LINEAR")["parameters"]["alpha"]
    by_chance = job.ready("y", timeColumn=None, ignoreColumns=["hour"]).train("chance", "LINEAR")["parameters"]["alpha"]
    assert by_time > 3 * by_chance
