"""Does the order of the file's rows say something? A quick model tells the first half of them from the second, if it can.

That is adversarial validation: where the halves can be told apart, rows changed along the file, as they do when gathered over time
or from several places. Rows are shuffled before the split, so the score is of the mixture: rows to come may be like the later ones.
"""

from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from .metrics import score

_FEWEST_ROWS, _MOST_ROWS, _MOST_COLUMNS = 200, 4_000, 50
#: Every other one of so many stretches of rows is judged by a model of the rest: what only neighbours share, as rows of one batch
#: or copies do, is no drift.
_STRETCHES = 20
_ROUNDS = 40
_MODEL = {"num_leaves": 15, "learning_rate": 0.15, "min_data_in_leaf": 20, "feature_fraction": 0.8, "cat_smooth": 20.0}
_MOST_CATEGORIES = 60
#: Steps that go one way, of those that go anywhere.
_ONE_WAY = 0.95
#: Classes or categories that stand in stretches: so many stretches for each at most.
_STRETCHES_PER_VALUE = 2
_FEWEST_VALUES = 20
_NOTABLE = 0.7
#: Of the gain of all columns, and of the one with most: noise has some gain too.
_MOST_DRIVERS, _DRIVING_SHARE, _BESIDE_THE_FIRST = 3, 0.1, 0.25


@dataclass(frozen=True)
class Drift:
    """auc: how well rows of the two sides are told apart, 0.5 is not at all. columns: what tells most, first the most telling.

    orderedBy: columns in whose order the rows stand, which were left out of the judgement. sortedBy: the first of them that holds
    categories: what changes with it is known by it, and no drift.
    """

    auc: float
    columns: list[str]
    orderedBy: list[str]
    sortedBy: str | None

    @property
    def is_notable(self) -> bool:
        """Whether it is worth a warning."""
        return self.auc >= _NOTABLE and self.sortedBy is None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, with `isNotable`."""
        return asdict(self) | {"isNotable": self.is_notable}


def goes_one_way(values: np.ndarray) -> bool:
    """Whether numbers (missing: NaN) nearly always rise, or nearly always fall, from row to row where they change."""
    known = values[~np.isnan(values)]
    steps = np.diff(known)
    steps = steps[steps != 0]
    return len(steps) > 0 and bool(max((steps > 0).mean(), (steps < 0).mean()) >= _ONE_WAY)


def stands_in_stretches(codes: np.ndarray) -> bool:
    """Whether each of few values (codes 0, 1 …, -1 for none) fills a stretch or two of neighbouring rows."""
    values = len(np.unique(codes))
    runs = 1 + int((np.diff(codes) != 0).sum())
    return 2 <= values and runs <= _STRETCHES_PER_VALUE * values and len(codes) >= 10 * values


def is_sorted_by_target(y: np.ndarray, is_classes: bool) -> bool:
    """Whether the file's rows stand in the order of the target, wholly or piece by piece."""
    return stands_in_stretches(y) if is_classes else len(np.unique(y)) >= _FEWEST_VALUES and goes_one_way(y.astype(float))


def drift_along(X: pd.DataFrame, names: list[str], seed: int) -> Drift | None:
    """Between the first and the second half of typed rows in file order, in the first 50 of these columns.

    None where rows or columns are too few to tell.
    """
    part = _some(X, names, _MOST_ROWS, np.random.default_rng(seed))
    return _told_apart(part, np.arange(len(part)) >= len(part) // 2, seed)


def drift_between(earlier: pd.DataFrame, later: pd.DataFrame, names: list[str], time_column: str, seed: int) -> Drift | None:
    """Between typed rows to learn from and later ones; like the column of times, one that only grows with it is left out."""
    rng = np.random.default_rng(seed)
    halves = [_some(part, names, _MOST_ROWS // 2, rng) for part in (earlier, later)]
    X, is_later = pd.concat(halves, ignore_index=True), np.repeat([False, True], [len(part) for part in halves])
    if time_column in X:
        order = np.argsort(X[time_column].to_numpy(), kind="stable")
        X, is_later = X.iloc[order].drop(columns=time_column), is_later[order]
    return _told_apart(X, is_later, seed)


def _some(X: pd.DataFrame, names: list[str], most: int, rng: np.random.Generator) -> pd.DataFrame:
    """A fair sample of the rows, in their order, without a copy of the whole table."""
    rows = np.sort(rng.permutation(len(X))[:most])
    return pd.DataFrame({name: X[name].iloc[rows] for name in names[:_MOST_COLUMNS]})


def _told_apart(X: pd.DataFrame, is_second: np.ndarray, seed: int) -> Drift | None:
    if len(X) < _FEWEST_ROWS or min(is_second.sum(), (~is_second).sum()) < _FEWEST_ROWS // 4:
        return None
    numbers: dict[str, np.ndarray] = {}
    categorical: list[int] = []
    ordered: list[str] = []
    sorting: list[str] = []
    for name in X.columns:
        values, is_category = _as_numbers(X[name])
        if stands_in_stretches(values) if is_category else goes_one_way(values) or _keeps_time(X[name]):
            ordered.append(str(name))
            sorting += [str(name)] if is_category else []
            continue
        if is_category:
            values = np.minimum(values, _MOST_CATEGORIES)
            categorical.append(len(numbers))
        numbers[str(name)] = values
    if not numbers:
        return None
    table, judged = np.column_stack(list(numbers.values())), np.arange(len(X)) * _STRETCHES // len(X) % 2
    told, gains = np.zeros(len(X)), np.zeros(len(numbers))
    options = _MODEL | {"objective": "binary", "verbosity": -1, "num_threads": 1, "deterministic": True, "seed": seed}
    for side in (0, 1):
        fitted = judged != side
        data = lightgbm.Dataset(table[fitted], is_second[fitted].astype(int), categorical_feature=categorical)
        booster = lightgbm.train(options, data, _ROUNDS)
        told[~fitted] = booster.predict(table[~fitted], num_threads=1)
        gains += booster.feature_importance("gain")
    auc = score("ROC_AUC", is_second.astype(int), np.column_stack([1 - told, told]))
    names = list(numbers)
    least = max(_DRIVING_SHARE * gains.sum(), _BESIDE_THE_FIRST * gains.max())
    most = [i for i in np.argsort(-gains, kind="stable")[:_MOST_DRIVERS] if gains[i] >= least]
    return Drift(float(auc), [names[i] for i in most] if gains.sum() > 0 else [], ordered, next(iter(sorting), None))


def _keeps_time(column: pd.Series) -> bool:
    """Whether dates go with the order of rows, give or take a few places: as a second date beside that which orders them does."""
    if not pd.api.types.is_datetime64_any_dtype(column) or column.notna().sum() < _FEWEST_VALUES:
        return False
    places = pd.Series(np.arange(len(column)), index=column.index)
    return abs(column.rank().corr(places)) >= _ONE_WAY


def _as_numbers(column: pd.Series) -> tuple[np.ndarray, bool]:
    """(n,) floats, NaN where missing, and whether they are codes of categories, the most frequent first."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").where(column.notna()).to_numpy(dtype=float), False
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float), False
    codes, distinct = pd.factorize(column)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    rank = np.empty(len(distinct) + 1)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(distinct))
    rank[-1] = -1
    return rank[codes], True
