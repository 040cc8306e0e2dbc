"""The holdout is sealed away, and folds are fair even to tiny classes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_folder import JobFolder, code_of
from sproutml_toolkit import workspace
from sproutml_toolkit.split import deal_folds


def binary_rows(rows: int, positives: int) -> list[list[str]]:
    return [[str(i * 1.5), str(i % 7), "yes" if i < positives else "no"] for i in range(rows)]


@pytest.mark.parametrize(("rows", "folds"), [(40, 5), (100, 8), (1000, 8)])
def test_rows_are_in_the_holdout_or_in_one_fold(job: JobFolder, rows: int, folds: int) -> None:
    job.write_rows(["a", "b", "y"], binary_rows(rows, rows // 2)).profile("y")
    result = job.split()
    with job.inside():
        train, holdout, numbers = workspace.load_train(), workspace.load_holdout(), workspace.load_folds()
    assert sorted([*train.row_ids, *holdout.row_ids]) == list(range(rows))
    assert (result["trainRows"], result["holdoutRows"], result["folds"]) == (len(train), len(holdout), folds)
    assert result["holdoutRows"] == round(0.2 * rows)
    assert abs(train.y.mean() - holdout.y.mean()) < 0.05
    assert set(numbers) == set(range(folds))


def test_the_same_seed_seals_the_same_rows_and_another_seed_others(job: JobFolder) -> None:
    job.write_rows(["a", "b", "y"], binary_rows(100, 50)).profile("y")
    sealed = []
    for seed in (1, 1, 2):
        job.split(seed=seed)
        sealed.append((job.folder / workspace.HOLDOUT).read_bytes())
    assert sealed[0] == sealed[1]
    assert sealed[0] != sealed[2]


def test_two_classes_have_no_more_folds_than_rows_of_the_rarer(job: JobFolder) -> None:
    job.write_rows(["a", "b", "y"], binary_rows(200, 4)).profile("y")
    assert job.split()["folds"] == 3
    with job.inside():
        y, numbers = workspace.load_train().y, workspace.load_folds()
    assert all(len(np.unique(y[numbers == fold])) == 2 for fold in range(3))


def test_the_only_row_of_a_class_stays_in_training(job: JobFolder) -> None:
    rows = [[str(i), str(i % 5), f"alone {i}" if i < 8 else "ab"[i % 2]] for i in range(60)]
    job.write_rows(["n", "m", "y"], rows).profile("y")
    job.split(holdoutFraction=0.5)
    with job.inside():
        train = workspace.load_train()
    assert set(range(8)) <= set(train.row_ids)


def test_nothing_of_the_holdout_is_under_work(job: JobFolder) -> None:
    rows = [[f"secret-{i}-{i % 3}", str(i % 9), str(i / 7)] for i in range(50)]
    job.write_rows(["word", "m", "y"], [[*row[:2], row[2]] for row in rows] * 1).ready("y")
    with job.inside():
        held = workspace.load_holdout().row_ids
    visible = b"".join(path.read_bytes() for path in (job.folder / "work").rglob("*") if path.is_file())
    assert not any(f"secret-{row}-".encode() in visible for row in held)


@given(st.lists(st.integers(0, 5), min_size=4, max_size=80), st.integers(2, 8))
def test_fold_sizes_differ_by_at_most_one_overall_and_in_each_class(y: list[int], folds: int) -> None:
    strata = np.array(y)
    numbers = deal_folds(strata, folds, np.random.default_rng(0))
    sizes = np.bincount(numbers, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for label in set(y):
        sizes = np.bincount(numbers[strata == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_none_are_sealed_when_none_are_to_be(job: JobFolder) -> None:
    job.write_rows(["a", "b", "y"], binary_rows(60, 30)).profile("y")
    result = job.split(holdoutFraction=0)
    with job.inside():
        train, holdout = workspace.load_train(), workspace.load_holdout()
    assert (result["holdoutRows"], len(holdout)) == (0, 0)
    assert list(train.row_ids) == list(range(60))
    assert [warning["code"] for warning in result["warnings"]] == ["NO_HOLDOUT"]


def test_an_impossible_request_is_refused(job: JobFolder) -> None:
    job.write_rows(["a", "b", "y"], binary_rows(60, 30)).profile("y")
    assert code_of(job.split, holdoutFraction=0.9) == "REQUEST_INVALID"
    assert code_of(job.split, holdoutFraction=-0.1) == "REQUEST_INVALID"
    assert code_of(job.split, folds=1) == "REQUEST_INVALID"
