"""What the user names to split rows by: a column of groups, or one of times. Read once, with the table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .columns import ColumnType, number_style, parse_dates, parse_numbers
from .table import is_missing
from .wire import ToolkitError

# More rows without a time than this share, and "the latest" would mean little.
_MOST_UNKNOWN_TIMES = 0.05


@dataclass(frozen=True)
class Groups:
    """numbers: (n,) the group of each usable row; a row without one is a group of its own. unknown: how many are so."""

    column: str
    numbers: np.ndarray
    unknown: int

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What to say of rows without a group, as `profile` words warnings."""
        message = f"{self.unknown:,} rows have no group: each counts as a group of its own"
        return [{"code": "GROUP_MISSING", "message": message, "columns": [self.column]}] if self.unknown else []


@dataclass(frozen=True)
class Times:
    """values: (n,) datetime64 or float64, NaT or NaN for a usable row without a time. unknown: how many are so.

    note: what is unsure about how dates are read (see columns.ColumnType), or None.
    """

    column: str
    values: np.ndarray
    unknown: int
    note: str | None = None

    @property
    def places(self) -> np.ndarray:
        """(n,) the place of each row's time among the different ones, 0 for the earliest, and for rows without a time."""
        known = ~pd.isna(self.values)
        places = np.zeros(len(known), dtype=np.int64)
        places[known] = np.unique(self.values[known], return_inverse=True)[1]
        return places

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What to say of rows without a time and of dates that may be others, as `profile` words warnings."""
        found = []
        if self.unknown:
            message = f"{self.unknown:,} rows have no time: they count as the earliest and are never sealed"
            found.append({"code": "TIME_MISSING", "message": message, "columns": [self.column]})
        if self.note:
            message = f"rows are split by dates in which {self.note}"
            found.append({"code": "AMBIGUOUS_TIME", "message": message, "columns": [self.column]})
        return found


def check_split_columns(group: str | None, time: str | None, names: list[str], target: str) -> None:
    """Errors: GROUP_OR_TIME COLUMNS_NOT_FOUND COLUMN_IS_TARGET."""
    if group is not None and time is not None:
        raise ToolkitError("GROUP_OR_TIME", "rows are split by group or by time, not by both", "Leave one of the two out.")
    for name in (group, time):
        if name is not None and name not in names:
            raise ToolkitError("COLUMNS_NOT_FOUND", f'no column "{name}"', "Name columns as they stand in the header.")
        if name == target:
            raise ToolkitError("COLUMN_IS_TARGET", f'rows can\'t be split by the target "{name}"', "Name another column.")


def read_groups(cells: pd.Series, name: str) -> Groups:
    """The groups of the usable rows: cells of the same text, blanks around it aside."""
    codes, distinct = pd.factorize(cells)
    texts, _ = pd.factorize(np.array([str(value).strip() for value in distinct], dtype=object))
    numbers = np.append(texts, -1)[codes]
    missing = is_missing(cells)
    numbers[missing] = len(texts) + np.arange(missing.sum())
    return Groups(name, numbers.astype(np.int64), int(missing.sum()))


def read_times(cells: pd.Series, kind: ColumnType, delimiter: str) -> Times:
    """The times of the usable rows, by dates or by numbers that grow. Errors: TIME_UNREADABLE TOO_FEW_TIMES."""
    if kind.type == "CONSTANT":
        raise ToolkitError("TOO_FEW_TIMES", f'"{kind.name}" orders nothing: {kind.note}', "Name a column whose values differ.")
    note = None
    if kind.type == "DATE":
        note = kind.note
        values = parse_dates(cells, kind.date).to_numpy()
    else:
        style = number_style(cells, delimiter)
        if style is None:
            raise ToolkitError(
                "TIME_UNREADABLE",
                f'the values of "{kind.name}" read neither as dates nor as numbers',
                "Write dates like 2024-05-31 or 2024-05-31 14:00, all in one way, or use numbers that grow with time.",
            )
        values = parse_numbers(cells, style).to_numpy(dtype=float)
    unknown = int(pd.isna(values).sum())
    if unknown > _MOST_UNKNOWN_TIMES * len(values):
        raise ToolkitError(
            "TIME_UNREADABLE",
            f'{unknown:,} of {len(values):,} rows have no time in "{kind.name}" that can be read',
            f"Fill them in, drop these rows, or name another column; up to {_MOST_UNKNOWN_TIMES:.0%} may be unknown.",
        )
    return Times(kind.name, values, unknown, note)
