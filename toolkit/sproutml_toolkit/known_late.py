"""Columns that are filled in only after the time a prediction is for: they help on old rows and are empty or unknown on new ones."""

from typing import Any

import numpy as np
import pandas as pd

from .split_keys import Times

_LATEST = 0.10
_FEWEST_LATEST = 20
_EMPTY, _RARELY_EMPTY = 0.90, 0.30
_FEWEST_PAIRS, _LATER = 30, 0.95


def known_late(X: pd.DataFrame, times: Times, kept: set[str]) -> list[dict[str, Any]]:
    """Warnings, as `profile` words them, about the typed columns of `X`, save the `kept`, whose rows have these times."""
    found = []
    names = [name for name in X.columns if name not in kept]
    if emptied := _emptied(X, names, times):
        message = f'nearly empty in the latest tenth of rows by "{times.column}" and filled in before: new rows will lack them too'
        found.append({"code": "EMPTY_LATELY", "message": message, "columns": emptied})
    if later := [name for name in names if name != times.column and _is_later(X[name], times)]:
        message = f'dates after "{times.column}" in nearly every row: leave them out (ignoreColumns) unless they are known by then'
        found.append({"code": "KNOWN_LATER", "message": message, "columns": later})
    return found


def _emptied(X: pd.DataFrame, names: list[str], times: Times) -> list[str]:
    known = np.flatnonzero(~pd.isna(times.values))
    order = known[np.argsort(times.values[known], kind="stable")]
    cut = len(order) - int(_LATEST * len(order))
    if len(order) - cut < _FEWEST_LATEST:
        return []
    found = []
    for name in names:
        missing = X[name].isna().to_numpy()
        if missing[order[cut:]].mean() >= _EMPTY and missing[order[:cut]].mean() <= _RARELY_EMPTY:
            found.append(name)
    return found


def _is_later(column: pd.Series, times: Times) -> bool:
    if not (pd.api.types.is_datetime64_any_dtype(column) and np.issubdtype(times.values.dtype, np.datetime64)):
        return False
    both = column.notna().to_numpy() & ~pd.isna(times.values)
    if both.sum() < _FEWEST_PAIRS:
        return False
    own, of_row = column[both].dt.floor("D"), pd.Series(times.values[both]).dt.floor("D").to_numpy()
    precise = column[both].to_numpy() > times.values[both]
    by_day = own.to_numpy() > of_row
    # A day without an hour is not before an hour of the same day.
    has_hours = bool((pd.Series(times.values[both]) != pd.Series(of_row)).any())
    return float((precise if has_hours else by_day).mean()) >= _LATER
