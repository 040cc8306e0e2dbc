"""The target in another guise: a column that is its classes under other names, its value in another unit, or what it is the sum of.

Unlike a column that merely tells much (see leaks.py), a copy holds in every row without exception, and no law of nature does so in
measured data: it is left out unless it is asked for. Sums are only told of, for each of their parts may be known in time.
"""

import numpy as np
import pandas as pd

from .file_order import goes_one_way

_FEWEST_ROWS = 30
#: Rows outside the commonest value: with fewer, a column of two values may agree with the target's by chance.
_FEWEST_UNCOMMON = 8
#: Rows for each of the target's values: with fewer, nearly any column has a value for each.
_ROWS_PER_VALUE = 5
_FEWEST_NUMBERS = 10
_FIRST_LOOK = 200
#: Of the target's spread: what rounding in the file may leave between it and a copy.
_ROUNDING = 1e-3
_LARGEST = 1e100
_MOST_PARTS, _MOST_SUMMANDS, _SUM_ROWS = 6, 60, 4_000


def copies(features: dict[str, pd.Series], y: np.ndarray, is_classes: bool) -> dict[str, str]:
    """What makes each copy one, in words, by name. `features` are typed columns of len(y) rows, `y` as in workspace.Table."""
    if len(y) < _FEWEST_ROWS:
        return {}
    codes = np.unique(y, return_inverse=True)[1]
    few = np.linspace(0, len(y) - 1, min(len(y), _FIRST_LOOK)).astype(np.int64)
    few_codes = np.unique(codes[few], return_inverse=True)[1]
    rows = np.bincount(codes)
    may_rename = len(y) - rows.max() >= _FEWEST_UNCOMMON and len(y) >= _ROWS_PER_VALUE * len(rows)
    found: dict[str, str] = {}
    for name, values in features.items():
        if not (_turns_never(values.iloc[few], y[few]) or (may_rename and _renames(values.iloc[few], few_codes))):
            continue  # a few rows tell already: most columns are no copies, and tables are long and wide
        if not is_classes and len(rows) >= _FEWEST_NUMBERS and (how := _recomputes(values, y, codes)):
            found[name] = how
        elif may_rename and _renames(values, codes):
            found[name] = "it is the target under other names"
    return found


def _turns_never(values: pd.Series, y: np.ndarray) -> bool:
    """Whether numbers only rise, or only fall, with the target; where it stays the same they may do as they like."""
    if not pd.api.types.is_numeric_dtype(values):
        return False
    x = values.to_numpy(dtype=float)
    return any(bool((np.diff(way[np.lexsort((way, y))]) >= 0).all()) for way in (x, -x))


def _renames(values: pd.Series, codes: np.ndarray) -> bool:
    """Each of the target's values has one of its own here, in every row; a missing cell is a value too."""
    own, distinct = pd.factorize(values, use_na_sentinel=False)
    count = int(codes.max()) + 1
    return len(distinct) == count and len(np.unique(own.astype(np.int64) * count + codes)) == count


def _recomputes(values: pd.Series, y: np.ndarray, codes: np.ndarray) -> str | None:
    if not pd.api.types.is_numeric_dtype(values) or values.isna().any():
        return None
    x = values.to_numpy(dtype=float)
    if _is_line(x, y):
        return "it is the target in another unit"
    # Any other curve that never turns: but what only grows along the file, as a year does, may well grow with the target.
    ranks = np.unique(x, return_inverse=True)[1]
    same_steps = np.array_equal(ranks, codes) or np.array_equal(ranks, codes.max() - codes)
    return "it rises and falls with the target, value for value" if same_steps and not goes_one_way(x) else None


def _is_line(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether x = a y + b in every row but for rounding."""
    with np.errstate(over="ignore", invalid="ignore"):
        spread_x, spread_y = x.std(), y.std()
    if not (np.isfinite([spread_x, spread_y]).all() and spread_x > 0 and spread_y > 0):
        return False
    across, along = (x - x.mean()) / spread_x, (y - y.mean()) / spread_y
    slope = 1.0 if (across * along).mean() > 0 else -1.0
    return bool(np.abs(across - slope * along).max() <= _ROUNDING)


def summands(X: pd.DataFrame, names: list[str], y: np.ndarray, seed: int) -> list[str]:
    """The two to six numeric columns of `names` of which the values `y` are a weighted sum in every row; [] where it is none."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:_SUM_ROWS])
    parts = {name: X[name].iloc[rows] for name in names[: 10 * _MOST_SUMMANDS]}
    whole = [name for name, part in parts.items() if _is_whole(part)][:_MOST_SUMMANDS]
    if not whole or len(rows) < 10 * (len(whole) + 1):
        return []
    values, wanted = np.column_stack([parts[name].to_numpy(dtype=float) for name in whole]), y[rows] - y[rows].mean()
    spreads = values.std(axis=0)
    varied = spreads > 0
    scaled = (values[:, varied] - values[:, varied].mean(axis=0)) / spreads[varied]
    weights = np.linalg.lstsq(scaled, wanted, rcond=None)[0]
    limit = _ROUNDING * wanted.std()
    if not np.abs(scaled @ weights - wanted).max() <= limit:
        return []
    named = [name for name, is_varied in zip(whole, varied, strict=True) if is_varied]
    needed = [name for name, weight in zip(named, weights, strict=True) if abs(weight) > 10 * limit]
    return needed if 2 <= len(needed) <= _MOST_PARTS else []


def _is_whole(column: pd.Series) -> bool:
    """Numbers in every row, none so large that its square is no number."""
    return pd.api.types.is_numeric_dtype(column) and bool(column.abs().max(skipna=False) < _LARGEST)
