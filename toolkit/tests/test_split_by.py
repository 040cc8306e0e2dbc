"""Rows of one group are never on two sides; the sealed rows are the latest."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from job_folder import JobFolder, code_of
from sproutml_toolkit import workspace
from sproutml_toolkit.split_groups import ByGroup, deal_groups
from sproutml_toolkit.split_keys import Groups, Times
from sproutml_toolkit.split_time import ByTime
from sproutml_toolkit.wire import ToolkitError


@st.composite
def grouped_rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(groups, classes) of the same rows: groups of any size, some of one class."""
    rows = draw(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=6, max_size=120))
    return np.array([group for group, _ in rows]) * 7, np.array([label for _, label in rows])


def dealt(splitter: Any, rows: int, size: int, folds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(held, kept, folds of the kept) as the command deals them."""
    held = splitter.seal(size)
    kept = np.setdiff1d(np.arange(rows), held)
    return held, kept, splitter.deal(kept, min(folds, splitter.most_folds(kept)))


def by_group(groups: np.ndarray, strata: np.ndarray, seed: int = 0, classification: bool = True) -> ByGroup:
    return ByGroup(Groups("who", groups, 0), strata, classification, np.random.default_rng(seed))


@given(grouped_rows(), st.sampled_from([0.0, 0.1, 0.2, 0.33, 0.5]), st.integers(2, 8), st.booleans())
def test_no_group_is_on_two_sides(rows: tuple[np.ndarray, np.ndarray], share: float, folds: int, classification: bool) -> None:
    groups, classes = rows
    size = round(share * len(groups))
    try:
        held, kept, numbers = dealt(by_group(groups, classes, classification=classification), len(groups), size, folds)
    except ToolkitError as error:
        assert error.code == "TOO_FEW_GROUPS"
        alone = [value for value in set(classes) if len(np.unique(groups[classes == value])) == 1]
        assert len(np.unique(groups)) < 3 or (classification and alone)
        return
    assert sorted([*held, *kept]) == list(range(len(groups)))
    assert (len(held) > 0) == (size > 0)
    assert not set(groups[held]) & set(groups[kept])
    for group in np.unique(groups[kept]):
        assert len(np.unique(numbers[groups[kept] == group])) == 1
    assert set(numbers) == set(range(numbers.max() + 1)) and numbers.max() >= 1
    if classification:
        assert set(classes[held]) <= set(classes[kept])


@given(grouped_rows(), st.integers(0, 99))
def test_the_same_seed_deals_groups_the_same_way(rows: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    groups, classes = rows
    first, again = (deal_groups(groups, classes, 4, np.random.default_rng(seed)) for _ in range(2))
    assert (first == again).all()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)), min_size=2, max_size=40), st.integers(2, 6), st.integers(0, 9))
@example([(2, 0), (3, 1), (1, 0), (1, 0)], 3, 0)
def test_a_class_with_enough_groups_of_its_own_is_in_every_part(sizes: list[tuple[int, int]], parts: int, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), [size for size, _ in sizes])
    classes = np.repeat([label for _, label in sizes], [size for size, _ in sizes])
    numbers = deal_groups(groups, classes, parts, np.random.default_rng(seed))
    for label in set(classes):
        having = len(np.unique(groups[classes == label]))
        assert len(np.unique(numbers[classes == label])) == min(having, parts)


def test_many_small_groups_leave_sizes_and_classes_even() -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 300, 3_000)
    classes = (rng.random(3_000) < 0.05 + 0.4 * (groups % 7 == 0)).astype(int)
    held, kept, numbers = dealt(by_group(groups, classes), 3_000, 600, 8)
    assert abs(len(held) - 600) < 30
    assert abs(classes[held].mean() - classes.mean()) < 0.01
    rates = [classes[kept][numbers == fold].mean() for fold in range(8)]
    assert max(rates) - min(rates) < 0.02


def test_a_giant_group_is_not_what_is_sealed() -> None:
    groups = np.array([0] * 70 + [1 + i // 3 for i in range(30)])
    held, _, _ = dealt(by_group(groups, np.arange(100) % 2), 100, 20, 5)
    assert 0 not in groups[held]


DAYS = st.integers(0, 9).map(lambda day: np.datetime64("2024-02-25", "us") + np.timedelta64(day, "D"))
NUMBERS = st.one_of(st.floats(-1e9, 1e9), st.integers(0, 5).map(float), st.just(np.nan))
TIMES = st.one_of(st.lists(kind, min_size=3, max_size=80) for kind in (DAYS, NUMBERS)).map(np.array)


@given(TIMES, st.sampled_from([0.0, 0.1, 0.2, 0.5]), st.integers(2, 8))
def test_the_sealed_rows_are_the_latest_and_folds_are_blocks_of_time(times: np.ndarray, share: float, folds: int) -> None:
    known = ~np.isnat(times) if times.dtype.kind == "M" else ~np.isnan(times)
    assume(len(np.unique(times[known])) >= 3)
    size = round(share * len(times))
    held, kept, numbers = dealt(ByTime(Times("when", times, 0)), len(times), size, folds)
    assert sorted([*held, *kept]) == list(range(len(times)))
    assert (len(held) > 0) == (size > 0)
    assert known[held].all()
    trained = kept[known[kept]]
    if len(held) and len(trained):
        assert times[held].min() > times[trained].max()
    assert set(numbers) == set(range(numbers.max() + 1)) and 1 <= numbers.max() < folds
    order = np.argsort(times[trained], kind="stable")
    assert (np.diff(numbers[known[kept]][order]) >= 0).all()
    for moment in np.unique(times[trained]):
        assert len(np.unique(numbers[known[kept]][times[trained] == moment])) == 1
    if not known.all():
        assert (numbers[~known[kept]] == 0).all()


def test_blocks_are_even_where_times_are_all_different() -> None:
    times = np.random.default_rng(0).permutation(1_000).astype(float)
    held, _, numbers = dealt(ByTime(Times("when", times, 0)), 1_000, 200, 8)
    assert len(held) == 200
    assert set(np.bincount(numbers)) == {100}


def patients(rows: int = 120, groups: int = 15) -> list[list[str]]:
    return [[f" p{i % groups}" if i % 2 else f"p{i % groups} ", str(i % 11), "yes" if i % 3 else "no"] for i in range(rows)]


def test_a_job_by_group_keeps_each_together_and_learns_nothing_from_its_name(job: JobFolder) -> None:
    found = job.write_rows(["patient", "x", "y"], patients()).profile("y", groupColumn="patient")
    assert {entry["name"]: entry["role"] for entry in found["columns"]} == {"patient": "ignored", "x": "feature", "y": "target"}
    result = job.split()
    with job.inside():
        train, holdout, folds = workspace.load_train(), workspace.load_holdout(), workspace.load_folds()
    assert list(train.X.columns) == ["x"]
    assert not set(train.row_ids % 15) & set(holdout.row_ids % 15)
    assert all(len(set(folds[train.row_ids % 15 == patient])) <= 1 for patient in range(15))
    assert '3 of the 15 groups of "patient" are sealed' in result["decisions"][0]
    assert [warning["code"] for warning in result["warnings"]] == ["HOLDOUT_TINY", "FEW_GROUPS"]
    job.profile("y")
    assert "by chance" in job.split()["decisions"][0], "a column named before is forgotten"


def test_rows_without_a_group_are_each_their_own(job: JobFolder) -> None:
    rows = patients(60, 6)
    for row in rows[:12]:
        row[0] = "?"
    found = job.write_rows(["patient", "x", "y"], rows).profile("y", groupColumn="patient")
    assert ("GROUP_MISSING", ["patient"]) in [(entry["code"], entry["columns"]) for entry in found["warnings"]]
    assert 'of the 18 groups of "patient"' in job.split()["decisions"][0]


def diary(rows: int = 100) -> list[list[str]]:
    start = datetime(2023, 1, 1)
    return [[f"{start + timedelta(days=(i * 37) % rows):%d.%m.%Y}", str(i % 11), "yes" if i % 3 else "no"] for i in range(rows)]


def test_a_job_by_time_says_from_when_on_rows_are_sealed_and_keeps_the_date_as_a_feature(job: JobFolder) -> None:
    job.write_rows(["day", "x", "y"], diary()).profile("y", timeColumn="day")
    result = job.split()
    assert result["decisions"][0].startswith('The latest 20% of rows are sealed, from 2023-03-22 of "day" on')
    assert (result["stratified"], result["folds"]) == (False, 8)
    with job.inside():
        train, holdout = workspace.load_train(), workspace.load_holdout()
    assert holdout.X["day"].min() > train.X["day"].max()


def test_dates_that_may_be_others_are_told_even_where_they_are_no_feature(job: JobFolder) -> None:
    rows = [[f"{1 + i % 12:02d}/{1 + i // 12:02d}/2023", str(i % 7), str(i * 1.5)] for i in range(120)]
    found = job.write_rows(["day", "x", "y"], rows).profile("y", timeColumn="day", ignoreColumns=["day"])
    assert "AMBIGUOUS_TIME" in [entry["code"] for entry in found["warnings"]]


def test_a_column_left_out_of_the_features_still_splits_by_time(job: JobFolder) -> None:
    rows = [[str(1_600_000_000 + 60 * (i % 50)), str(i % 7), str(i * 1.5)] for i in range(100)]
    job.write_rows(["stamp", "x", "y"], rows).profile("y", timeColumn="stamp", ignoreColumns=["stamp"])
    assert "from 1600002400 of" in job.split()["decisions"][0]
    with job.inside():
        assert list(workspace.load_train().X.columns) == ["x"]


def test_few_rows_without_a_time_come_first_and_many_are_refused(job: JobFolder) -> None:
    rows = diary()
    for row in rows[:4]:
        row[0] = "unknown"
    found = job.write_rows(["day", "x", "y"], rows).profile("y", timeColumn="day")
    assert "TIME_MISSING" in [entry["code"] for entry in found["warnings"]]
    job.split()
    with job.inside():
        assert set(range(4)) <= set(workspace.load_train().row_ids)
    for row in rows[:6]:
        row[0] = ""
    job.write_rows(["day", "x", "y"], rows)
    assert code_of(job.profile, "y", timeColumn="day") == "TIME_UNREADABLE"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"groupColumn": "nobody"}, "COLUMNS_NOT_FOUND"),
        ({"timeColumn": "never"}, "COLUMNS_NOT_FOUND"),
        ({"groupColumn": "y"}, "COLUMN_IS_TARGET"),
        ({"timeColumn": "y"}, "COLUMN_IS_TARGET"),
        ({"groupColumn": "patient", "timeColumn": "x"}, "GROUP_OR_TIME"),
        ({"timeColumn": "patient"}, "TIME_UNREADABLE"),
        ({"timeColumn": "same"}, "TOO_FEW_TIMES"),
    ],
)
def test_a_column_that_cannot_split_is_refused(job: JobFolder, more: dict[str, str], code: str) -> None:
    job.write_rows(["patient", "x", "same", "y"], [[*row[:2], "2024-01-01", row[2]] for row in patients()])
    assert code_of(job.profile, "y", **more) == code


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"groupColumn": "sex"}, "TOO_FEW_GROUPS"),
        ({"groupColumn": "ward"}, "TOO_FEW_GROUPS"),
        ({"timeColumn": "flag"}, "TOO_FEW_TIMES"),
        ({"timeColumn": "era"}, "TARGET_CONSTANT"),
    ],
)
def test_a_split_that_leaves_nothing_to_learn_or_score_is_refused(job: JobFolder, more: dict[str, str], code: str) -> None:
    # Each ward has an outcome of its own, the last era too; two sexes and a flag of two times part too little.
    rows = [[f"{i % 2}s", f"w{i % 3}", str(i % 2), str(i // 20), str(i % 7)] for i in range(120)]
    ward = [[*row, f"outcome {row[1]}" if more == {"groupColumn": "ward"} else str(int(row[3] == "5"))] for row in rows]
    job.write_rows(["sex", "ward", "flag", "era", "x", "y"], ward).profile("y", **more)
    assert code_of(job.split) == code


def test_columns_that_look_like_groups_or_times_are_pointed_out_until_one_is_named(job: JobFolder) -> None:
    def pointed_out(**more: str) -> list[tuple[str, list[str]]]:
        found = job.profile("y", **more)["warnings"]
        return [(entry["code"], entry["columns"]) for entry in found if entry["code"].startswith("POSSIBLE")]

    start = datetime(2024, 1, 1)
    rows = [[f"c{i * 7 % 30}", f"{start + timedelta(hours=i)}", str(i % 3), str(i * i % 17)] for i in range(120)]
    job.write_rows(["customer_id", "at", "shop_id", "y"], rows)
    assert pointed_out() == [("POSSIBLE_GROUPS", ["customer_id"]), ("POSSIBLE_TIME", ["at"])]
    assert pointed_out(groupColumn="customer_id") == pointed_out(timeColumn="at") == []
    job.write_rows(["customer", "at", "shop_id", "y"], [rows[i * 7 % 120] for i in range(120)])
    assert pointed_out() == []


def test_a_class_that_training_cannot_know_is_told(job: JobFolder) -> None:
    rows = [[str(2000 + i // 10), str(i % 7), "new" if i >= 90 else "ab"[i % 2]] for i in range(100)]
    job.write_rows(["year", "x", "y"], rows).profile("y", timeColumn="year")
    codes = [warning["code"] for warning in job.split(holdoutFraction=0.1)["warnings"]]
    assert "CLASS_ONLY_SEALED" in codes and "HOLDOUT_ONE_CLASS" in codes
    job.prepare()
    assert len(job.train("t", "LINEAR")["foldScores"]) > 1
