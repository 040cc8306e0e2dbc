"""What is to be predicted: the task, the classes and their order, and the target as numbers.

Rules, in this order, when the task is not given:
1. Values that are not numbers are classes: BINARY with two, MULTICLASS with more.
2. Two different values are BINARY.
3. Whole numbers with at most 10 different values, each standing for at least 5 rows on average, are MULTICLASS.
4. All other numbers are REGRESSION.

Classes are ordered as numbers when all are numbers, else by their text. In a BINARY task the positive class is the one
that says yes in common words (yes, true, positive, >50K …) when exactly one of the two does; else the last in that
order, as in scikit-learn. It is class number 1.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .columns import parse_numbers
from .metrics import DEFAULT_METRIC, METRICS_OF_TASK
from .table import LOOSE_MISSING, MISSING, is_missing
from .wire import ToolkitError

_MAX_CLASSES = 500
_MAX_INFERRED_CLASSES_OF_NUMBERS = 10
_ROWS_PER_CLASS_OF_NUMBERS = 5
_MIN_ROWS = 10
# Boosters keep targets, and RMSE their squares, as 32-bit floats, which end at 3.4e38.
_LARGEST_VALUE = 1e18
_POSITIVE = re.compile(
    r"(?i)^(yes|y|true|t|\+|pos|positive|on|success|succeeded|churn|churned|default|defaulted|fraud|spam|bad|"
    r"survived|malignant|abnormal|fail|failed|failure|sick|disease|present|>.*)\.?$"
)


@dataclass
class Target:
    """The target of the usable rows.

    usable: (all rows,) True where the target has a value. y: (usable rows,) class numbers or values.
    classes: labels in class order, None for regression. number: how numbers are written (see columns.ColumnType).
    """

    task: str
    metric: str
    usable: np.ndarray
    y: np.ndarray
    classes: list[str] | None
    positive_class: str | None
    unreadable: int
    decision: str


def read_target(cells: pd.Series, name: str, task: str | None, metric: str | None, style: str | None) -> Target:
    """Infer or check the task and metric, and encode the target.

    `style` is how the column's numbers are written when it reads as numbers, else None.
    Errors: TARGET_EMPTY, TARGET_CONSTANT, TOO_FEW_ROWS, TASK_MISMATCH, METRIC_MISMATCH, TARGET_OUT_OF_RANGE.
    """
    numbers = parse_numbers(cells, style) if style is not None else None
    usable = ~is_missing(cells, LOOSE_MISSING if numbers is not None else MISSING)
    unreadable = 0
    if numbers is not None:
        unreadable = int((usable & numbers.isna().to_numpy()).sum())
        usable &= numbers.notna().to_numpy()
    if not usable.any():
        raise ToolkitError(
            "TARGET_EMPTY", f'the target "{name}" has no value in any row', "Name a target column that holds values."
        )
    values = numbers[usable] if numbers is not None else cells[usable].astype(str).str.strip()
    distinct = values.nunique()
    if distinct < 2:
        raise ToolkitError(
            "TARGET_CONSTANT",
            f'the target "{name}" has the same value in every row: there is nothing to learn',
            "Name a column whose value differs between rows.",
        )
    if len(values) < _MIN_ROWS:
        raise ToolkitError(
            "TOO_FEW_ROWS",
            f"{len(values)} rows have a target: too few to train on some and score on others",
            f"Upload at least {_MIN_ROWS} rows whose target is known; a few hundred make a useful model.",
        )
    inferred, why = _infer_task(values, numbers is not None, distinct)
    chosen = task or inferred
    _check_task(chosen, name, numbers is not None, distinct, len(values))
    metric = metric or DEFAULT_METRIC[chosen]
    if metric not in METRICS_OF_TASK[chosen]:
        raise ToolkitError(
            "METRIC_MISMATCH",
            f"{metric} does not measure a {chosen} task",
            f"Choose one of {', '.join(METRICS_OF_TASK[chosen])}.",
        )
    if metric == "RMSLE" and (values < 0).any():
        raise ToolkitError(
            "METRIC_MISMATCH", f'RMSLE needs targets of at least 0; "{name}" has negative ones', "Choose RMSE or MAE."
        )
    decision = f"{chosen} because {why}" if task is None else f"{chosen} as requested"
    if chosen == "REGRESSION":
        _check_range(values, name)
        return Target(chosen, metric, usable, values.to_numpy(dtype=float), None, None, unreadable, decision)
    classes, y = _encode(values, numbers is not None)
    positive = None
    if chosen == "BINARY":
        positive = positive_class(classes)
        if positive == classes[0]:
            classes, y = classes[::-1], 1 - y
    return Target(chosen, metric, usable, y, classes, positive, unreadable, decision)


def read_quantile(metric: str, asked: float | None) -> float | None:
    """The quantile that PINBALL asks for, the median unless said; None of other metrics.

    Errors: QUANTILE_WITHOUT_PINBALL, REQUEST_INVALID.
    """
    if metric != "PINBALL":
        if asked is not None:
            raise ToolkitError(
                "QUANTILE_WITHOUT_PINBALL",
                f"{metric} does not ask for a quantile",
                "Choose the metric PINBALL, or leave the quantile out.",
            )
        return None
    quantile = 0.5 if asked is None else float(asked)
    if not 0.0 < quantile < 1.0:
        raise ToolkitError("REQUEST_INVALID", f"quantile is {asked}", "Choose a share between 0 and 1, such as 0.9.")
    return quantile


def _check_range(values: pd.Series, name: str) -> None:
    too_large = values.abs() > _LARGEST_VALUE
    if too_large.any():
        raise ToolkitError(
            "TARGET_OUT_OF_RANGE",
            f'{int(too_large.sum())} of {len(values)} values of the target "{name}" lie beyond {_LARGEST_VALUE:g}, such as '
            f"{values[too_large].iloc[0]:g}: errors of such numbers can't be computed",
            "Mend or remove these rows if they are mistakes; else give the target in a larger unit, or its logarithm.",
        )


def positive_class(classes: list[str]) -> str:
    """The positive one of two classes, by the rule at the top of this file."""
    affirmative = [label for label in classes if _POSITIVE.match(label)]
    return affirmative[0] if len(affirmative) == 1 else classes[1]


def number_label(value: float) -> str:
    """A class that is a number, as people write it: 3, not 3.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _infer_task(values: pd.Series, numeric: bool, distinct: int) -> tuple[str, str]:
    if distinct == 2:
        return "BINARY", "the target has two different values"
    if not numeric:
        return "MULTICLASS", f"the target has {distinct} different values that are not numbers"
    whole = bool((values % 1 == 0).all())
    few = distinct <= _MAX_INFERRED_CLASSES_OF_NUMBERS and len(values) >= _ROWS_PER_CLASS_OF_NUMBERS * distinct
    if whole and few:
        return "MULTICLASS", f"the target is one of {distinct} whole numbers"
    return "REGRESSION", f"the target is a number with {distinct} different values"


def _check_task(task: str, name: str, numeric: bool, distinct: int, rows: int) -> None:
    if task == "REGRESSION" and not numeric:
        raise ToolkitError(
            "TASK_MISMATCH",
            f'REGRESSION needs numbers, and the target "{name}" holds values that are not',
            "Choose BINARY or MULTICLASS, or leave the task out.",
        )
    if task == "BINARY" and distinct != 2:
        raise ToolkitError(
            "TASK_MISMATCH",
            f'BINARY needs two classes, and the target "{name}" has {distinct} different values',
            "Choose MULTICLASS or REGRESSION, or leave the task out.",
        )
    if task == "MULTICLASS" and distinct == 2:
        raise ToolkitError(
            "TASK_MISMATCH",
            f'MULTICLASS needs three or more classes, and the target "{name}" has two',
            "Choose BINARY, or leave the task out.",
        )
    if task == "MULTICLASS" and (distinct > _MAX_CLASSES or distinct > max(rows // 2, 10)):
        raise ToolkitError(
            "TASK_MISMATCH",
            f'the target "{name}" has {distinct} different values in {rows} rows: too many to be classes',
            "Name a column with fewer classes, or group its values first."
            + (" As its values are numbers, REGRESSION would fit." if numeric else ""),
        )


def _encode(values: pd.Series, numeric: bool) -> tuple[list[str], np.ndarray]:
    distinct, y = np.unique(values.to_numpy(dtype=float if numeric else str), return_inverse=True)
    labels = [number_label(value) for value in distinct] if numeric else [str(value) for value in distinct]
    return labels, y.astype(np.int64)
