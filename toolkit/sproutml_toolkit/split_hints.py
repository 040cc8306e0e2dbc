"""Columns that look as if rows should be split by them, where nobody said so: a score by chance would flatter."""

from typing import Any

import pandas as pd

from .columns import is_named_like_id

# A name like customer_id speaks of groups where its values repeat, but not so often that they are mere categories.
_REPEATS = (2.0, 50.0)
_FEWEST_VALUES = 20


def split_hints(X: pd.DataFrame) -> list[dict[str, Any]]:
    """Warnings, as `profile` words them, about the typed feature columns `X` (n rows in the file's order)."""
    found = []
    if groups := [str(name) for name in X.columns if is_named_like_id(str(name)) and _repeats(X[name])]:
        message = f'rows share values of "{groups[0]}": if new rows will bring new values, name it as groupColumn'
        found.append({"code": "POSSIBLE_GROUPS", "message": message, "columns": groups})
    if times := [str(name) for name in X.columns if _is_in_order(X[name])]:
        message = f'rows stand in the order of "{times[0]}": if the future is to be predicted, name it as timeColumn'
        found.append({"code": "POSSIBLE_TIME", "message": message, "columns": times})
    return found


def _repeats(column: pd.Series) -> bool:
    distinct = column.nunique()
    return distinct >= _FEWEST_VALUES and _REPEATS[0] <= column.notna().sum() / distinct <= _REPEATS[1]


def _is_in_order(column: pd.Series) -> bool:
    """Whether dates only rise, or only fall, from row to row."""
    if not pd.api.types.is_datetime64_any_dtype(column) or column.isna().any() or column.nunique() < _FEWEST_VALUES:
        return False
    return bool(column.is_monotonic_increasing or column.is_monotonic_decreasing)
