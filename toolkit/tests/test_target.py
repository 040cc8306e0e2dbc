"""The task is read from the target, and a target that can't be learnt is refused with a code."""

import numpy as np
import pandas as pd
import pytest
from job_folder import code_of
from sproutml_toolkit.columns import number_style
from sproutml_toolkit.target import read_target


def read(cells: list[str], task: str | None = None, metric: str | None = None):
    series = pd.Series(cells, dtype=object)
    return read_target(series, "y", task, metric, number_style(series))


@pytest.mark.parametrize(
    ("cells", "task", "classes"),
    [
        (["no", "yes"] * 10, "BINARY", ["no", "yes"]),
        (["yes", "zebra"] * 10, "BINARY", ["zebra", "yes"]),
        ([">50K", "<=50K"] * 10, "BINARY", ["<=50K", ">50K"]),
        (["cat", "dog"] * 10, "BINARY", ["cat", "dog"]),
        (["1", "2"] * 10, "BINARY", ["1", "2"]),
        (["0.0", "1"] * 10, "BINARY", ["0", "1"]),
        (["a", "b", "c"] * 10, "MULTICLASS", ["a", "b", "c"]),
        (["10", "9", "1"] * 10, "MULTICLASS", ["1", "9", "10"]),
        (["none", "mild", "severe"] * 10, "MULTICLASS", ["mild", "none", "severe"]),
        ([str(i) for i in range(30)], "REGRESSION", None),
        (["1.5", "2.5", "3.5"] * 10, "REGRESSION", None),
        ([str(i) for i in range(10)], "REGRESSION", None),
        (["1,5", "2,5", "3,25"] * 5, "REGRESSION", None),
    ],
)
def test_the_task_is_read_from_the_target(cells: list[str], task: str, classes: list[str] | None) -> None:
    target = read(cells)
    assert (target.task, target.classes) == (task, classes)
    if task == "BINARY":
        assert target.positive_class == target.classes[1]


def test_class_numbers_point_at_their_labels() -> None:
    cells = ["yes", "zebra", "zebra", "yes", "yes"] * 3
    target = read(cells)
    assert [target.classes[number] for number in target.y] == cells


@pytest.mark.parametrize(
    ("cells", "task", "metric", "code"),
    [
        (["", "NA", "?"] * 10, None, None, "TARGET_EMPTY"),
        (["same"] * 20, None, None, "TARGET_CONSTANT"),
        (["5", "5.0"] * 20, None, None, "TARGET_CONSTANT"),
        (["a", "b"], None, None, "TOO_FEW_ROWS"),
        (["a", "b", "c"] * 10, "REGRESSION", None, "TASK_MISMATCH"),
        (["a", "b", "c"] * 10, "BINARY", None, "TASK_MISMATCH"),
        (["a", "b"] * 10, "MULTICLASS", None, "TASK_MISMATCH"),
        ([f"v{i}" for i in range(100)], None, None, "TASK_MISMATCH"),
        (["a", "b"] * 10, None, "RMSE", "METRIC_MISMATCH"),
        (["-1.5", "2.5", "7.25"] * 10, None, "RMSLE", "METRIC_MISMATCH"),
        (["1e300", *(f"{value}.5" for value in range(40))], None, None, "TARGET_OUT_OF_RANGE"),
        (["-1e20", *(f"{value}.5" for value in range(40))], "REGRESSION", "MAE", "TARGET_OUT_OF_RANGE"),
    ],
)
def test_a_target_that_cannot_be_learnt_is_refused(cells, task, metric, code) -> None:
    assert code_of(read, cells, task, metric) == code


def test_rows_without_a_target_are_left_out() -> None:
    target = read(["1.5", "", "2.5", "n/a", "oops"] + [f"{value}.25" for value in range(95)])
    assert target.usable.tolist()[:5] == [True, False, True, False, False]
    assert target.unreadable == 1
    assert np.isfinite(target.y).all()
