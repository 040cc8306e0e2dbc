"""Where the model is worst: the groups of rows, by one column's value or range, that score below the rest beyond chance."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import bootstrap
from .metrics import is_lower_better, score

_MOST_COLUMNS = 60
_MOST_ROWS = 20_000
_MOST_VALUES = 8
_CANDIDATES = 16
_LEVEL = 0.99  # many groups are looked at: each must be surer than the usual 95%


@dataclass(frozen=True)
class Slice:
    """`slice` in words ("Age 22 to 30"), its rows and the metric's own value on them; its column, and `how` it is cut from
    it: MISSING, RANGE or VALUE."""

    slice: str
    rows: int
    score: float
    column: str = ""
    how: str = ""


def worst_slices(metric: str, X: pd.DataFrame, y: np.ndarray, scores: np.ndarray, seed: int, most: int = 5) -> list[Slice]:
    """The `most` groups furthest below the overall score whose 99% interval lies wholly below it, worst first.

    A group has at least 20 rows and 2% of all. `X`, `y`, `scores` are row-aligned as in workspace.Table and metrics (weighed by the rule for labels). Looks at
    no more than 20,000 rows (a fair sample) and 60 columns.
    """
    if len(y) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(len(y), _MOST_ROWS, replace=False))
        X, y, scores = X.iloc[rows], y[rows], scores[rows]
    fewest = max(20, int(np.ceil(len(y) * 0.02)))
    direction = 1 if is_lower_better(metric) else -1
    overall = score(metric, y, scores)
    found: list[tuple[float, float, str, np.ndarray, str, str]] = []
    for name in X.columns[:_MOST_COLUMNS]:
        for how, words, member in _groups(str(name), X[name]):
            support = int(member.sum())
            if not fewest <= support <= len(y) - fewest:
                continue
            value = score(metric, y[member], scores[member])
            shortfall = (value - overall) * direction
            if np.isfinite(shortfall) and shortfall > 0:
                found.append((shortfall, value, words, member, str(name), how))
    found.sort(key=lambda entry: -entry[0] * np.sqrt(entry[3].sum()))

    kept: list[tuple[float, Slice, np.ndarray]] = []
    for shortfall, value, words, member, column, how in found[:_CANDIDATES]:
        if any(_mostly_same(member, other) for _, _, other in kept):
            continue
        spread = bootstrap.interval(metric, y[member], scores[member], seed, resamples=200, level=_LEVEL)
        if spread is not None and (spread.low > overall if direction == 1 else spread.high < overall):
            kept.append((shortfall, Slice(words, int(member.sum()), value, column, how), member))
    kept.sort(key=lambda entry: -entry[0])
    return [entry[1] for entry in kept[:most]]


def _groups(name: str, column: pd.Series) -> Iterator[tuple[str, str, np.ndarray]]:
    missing = column.isna().to_numpy()
    if missing.any():
        yield "MISSING", f"{name} is missing", missing
    known = column[~missing]
    if known.empty:
        return
    if pd.api.types.is_datetime64_any_dtype(column) or (pd.api.types.is_numeric_dtype(column) and known.nunique() > _MOST_VALUES):
        yield from (("RANGE", words, member) for words, member in _ranges(name, column))
        return
    for value in known.value_counts().index[:_MOST_VALUES]:
        yield "VALUE", f"{name} = {_short(value)}", (column == value).to_numpy(dtype=bool, na_value=False)


def _ranges(name: str, column: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    edges = column.quantile([0, 0.25, 0.5, 0.75, 1]).drop_duplicates().tolist()
    for place, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        last = place == len(edges) - 2
        member = (column >= low) & ((column <= high) if last else (column < high))
        yield f"{name} {_short(low)} {'to' if last else 'to under'} {_short(high)}", member.to_numpy(dtype=bool, na_value=False)


def _short(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    text = str(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _mostly_same(one: np.ndarray, other: np.ndarray) -> bool:
    return (one & other).sum() > 0.8 * (one | other).sum()
