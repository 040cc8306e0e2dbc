"""How the model's answer changes with one column: its average over many rows as that column takes one value after another.

Source: partial dependence, Friedman, Greedy Function Approximation (2001), section 8.2; the spread of the single rows' curves,
Goldstein et al., Peeking Inside the Black Box (2015). It asks the model about rows that may not occur (a heavy animal with
short wings), and says what the model does, never what causes what.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .sampling import evenly_spaced
from .speed import Speed
from .workspace import Scorer

_MOST_FEATURES = 4
_POINTS = 8
_MOST_VALUES = 8
_MOST_ROWS = 200
_FEWEST_ROWS = 20
_CELLS_PER_CALL = 2_000_000
#: Categories are drawn when those that fit the picture are at least this share of the rows.
_COVERED = 0.5
#: Beyond so many standard errors the lowest and the highest point of a curve surely differ.
_SURE = 3.0


@dataclass(frozen=True)
class Dependence:
    """What a program may read of it: `to_json` is the form of metrics.json.

    features: {feature, kind: number|date|flag|category, values, curves: [{output, mean, low, high, sure, agreement}]}, the
    lists as long as `values`; `low` to `high` is the middle 80% of the rows' own curves, `sure` whether the curve's lowest and
    highest point differ beyond which rows happened to be taken, `agreement` the share of rows whose own curve rises with it
    from the one to the other. rows: how many were asked about. unmeasured: columns the time did not reach.
    """

    features: list[dict[str, Any]]
    rows: int
    unmeasured: list[str]

    def to_json(self) -> dict[str, Any]:
        return {"rows": self.rows, "features": self.features}


@dataclass(frozen=True)
class _Grid:
    feature: str
    kind: str
    values: list[Any]


def partial_dependence(
    model: Scorer,
    X: pd.DataFrame,
    order: np.ndarray,
    features: list[dict[str, Any]],
    outputs: list[tuple[int, str]] | None,
    speed: Speed,
    seconds: float,
) -> Dependence:
    """Curves of the first four of `features` that have any, over some of the rows `X`.

    order: positions of the rows, such that evenly spaced ones are a fair picture of all (see sampling). features: the plan's
    entries, the most important first. outputs: (class number, label) of the classes to follow, or None for a regression. Takes
    about `seconds`, and thrice that before it gives a column up.
    """
    grids = [grid for feature in features for grid in [_grid(feature, X[feature["name"]])] if grid is not None][:_MOST_FEATURES]
    wanted = [grid.feature for grid in grids]
    while grids and speed.rows_within(3 * seconds) < _FEWEST_ROWS * sum(len(grid.values) for grid in grids):
        grids.pop()
    unmeasured = wanted[len(grids) :]
    if not grids:
        return Dependence([], 0, unmeasured)
    points = sum(len(grid.values) for grid in grids)
    count = min(len(X), _MOST_ROWS, max(_FEWEST_ROWS, speed.rows_within(seconds) // points))
    rows = X.iloc[order[evenly_spaced(len(X), count)]]
    answers = np.concatenate([model.predict_scores(batch) for batch in _batches(rows, grids)])
    curves = answers.reshape(points, count, -1)
    found, place = [], 0
    for grid in grids:
        own = curves[place : place + len(grid.values)]
        place += len(grid.values)
        drawn = [_curve(own[:, :, code], label) for code, label in outputs or [(0, None)]]
        values = [f"{value:%Y-%m-%d}" if grid.kind == "date" else value for value in grid.values]
        found.append({"feature": grid.feature, "kind": grid.kind, "values": values, "curves": drawn})
    return Dependence(found, count, unmeasured)


def _grid(feature: dict[str, Any], column: pd.Series) -> _Grid | None:
    """The values to try: ones that occur. None for free text and for columns of too many different or of one value."""
    name, kind, known = feature["name"], feature["kind"], column.dropna()
    if kind == "text" or known.nunique() < 2:
        return None
    if kind == "category":
        counts = known.value_counts()
        common = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:_MOST_VALUES]
        if sum(count for _, count in common) < _COVERED * len(known):
            return None
        return _Grid(name, "category", [value for value, _ in common])
    if kind == "flag":
        return _Grid(name, "flag", [0.0, 1.0])
    distinct = np.sort(known.unique())
    if len(distinct) > _POINTS:
        distinct = np.unique(known.quantile(np.linspace(0.05, 0.95, _POINTS), interpolation="nearest"))
    if len(distinct) < 2:
        return None
    if kind == "date parts":
        return _Grid(name, "date", [pd.Timestamp(value) for value in distinct])
    return _Grid(name, "number", [float(value) for value in distinct])


def _batches(X: pd.DataFrame, grids: list[_Grid]) -> Iterator[pd.DataFrame]:
    """The rows once per value, as few stacks as memory allows."""
    points = [(grid.feature, value) for grid in grids for value in grid.values]
    at_once = max(1, _CELLS_PER_CALL // (len(X) * X.shape[1]))
    for start in range(0, len(points), at_once):
        yield pd.concat([_with(X, feature, value) for feature, value in points[start : start + at_once]], ignore_index=True)


def _with(X: pd.DataFrame, feature: str, value: Any) -> pd.DataFrame:
    changed = X.copy(deep=False)
    changed[feature] = pd.Series([value] * len(X), index=X.index, dtype=X[feature].dtype)
    return changed


def _curve(own: np.ndarray, label: str | None) -> dict[str, Any]:
    """`own` is (points, rows): each row's curve."""
    mean = own.mean(axis=1)
    low, high = np.quantile(own, [0.1, 0.9], axis=1)
    rise = own[mean.argmax()] - own[mean.argmin()]
    error = rise.std(ddof=1) / np.sqrt(len(rise)) if len(rise) > 1 else np.inf
    return {
        "output": label,
        "mean": mean.tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "sure": bool(rise.mean() > _SURE * error),
        "agreement": float((rise > 0).mean()),
    }
