"""Very wide tables: the columns that tell something of the target alone, chosen on a fold's training part only.

Chosen on all rows, the choice itself would have seen the held-out targets, and their score would be too good (Ambroise and
McLachlan, 2002). What only several columns together can tell is lost: hence only where the table is too wide for all of them.
"""

import numpy as np

_WIDE = 1_000
_MOST_CELLS, _FEWEST_KEPT = 1_000_000, 300
_FIRST_LOOK_SHARE = 0.2
_MOST_ROWS, _MOST_CLASSES = 5_000, 10
# Deviations beyond which a number counts as far out; categories told apart.
_FAR, _GROUPS = 3.0, 30


def kept_width(width: int, rows: int, first_look: bool = False) -> int:
    """How many of `width` columns are kept for a fit on `rows` rows: all up to 1,000 columns or a million cells; a fifth for a
    first look, which is there to be quick."""
    if width <= _WIDE:
        return width
    share = _FIRST_LOOK_SHARE if first_look else 1
    return min(width, int(max(_MOST_CELLS // max(rows, 1), _FEWEST_KEPT) * share))


def strengths(values: np.ndarray, categorical: list[int], y: np.ndarray, task: str, seed: int) -> np.ndarray:
    """(width,) about the share of the target's variance that each column alone tells, less what chance would.

    values: (n, width) numbers, NaN where missing; categorical: those that hold codes. A number tells by itself, by its distance
    from the middle and by being missing; a category by its groups. y: (n,) class numbers, or values, which count by rank.
    Judged on 5,000 rows and the ten commonest classes at most.
    """
    if len(y) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:_MOST_ROWS])
        values, y = values[rows], y[rows]
    wanted = _wanted(y, task)
    wanted = wanted - wanted.mean(axis=0)
    total = float((wanted**2).sum()) or 1.0
    known = np.isfinite(values)
    counts = np.maximum(known.sum(axis=0), 1)
    means = np.where(known, values, 0.0).sum(axis=0) / counts
    centred = np.where(known, values - means, 0.0)
    deviations = np.sqrt((centred**2).sum(axis=0) / counts)
    scaled = np.clip(centred / np.where(deviations > 0, deviations, 1.0), -_FAR, _FAR)
    views = (scaled, scaled**2, ~known) if not known.all() else (scaled, scaled**2)
    found = sum(_told(view.astype(np.float32), wanted) for view in views) / total
    for column in categorical:
        found[column] = _told_by_groups(values[:, column], wanted) / total
    return found


def _told(view: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(width,) the sum of squares of `wanted` (n, k) that each column of `view` explains linearly, less chance's share."""
    view = view - view.mean(axis=0)
    squares = (view**2).sum(axis=0)
    explained = ((view.T @ wanted.astype(np.float32)) ** 2).sum(axis=1) / np.where(squares > 0, squares, np.inf)
    return explained - (squares > 0) * float((wanted**2).sum()) / len(wanted)


def _told_by_groups(codes: np.ndarray, wanted: np.ndarray) -> float:
    """As _told, of a category (n,); the rarer ones, whose codes are high, count as one, and so do missing ones."""
    groups = np.where(np.isfinite(codes), np.minimum(codes, _GROUPS), _GROUPS + 1).astype(int)
    counts = np.bincount(groups)
    sums = np.stack([np.bincount(groups, weights=part) for part in wanted.T])
    seen = counts > 0
    return float((sums[:, seen] ** 2 / counts[seen]).sum()) - (seen.sum() - 1) * float((wanted**2).sum()) / len(wanted)


def _wanted(y: np.ndarray, task: str) -> np.ndarray:
    """(n, k) what is to be told: ranks, or for each class whether a row is of it."""
    if task == "REGRESSION":
        return np.argsort(np.argsort(y, kind="stable"), kind="stable").astype(float)[:, None]
    labels, counts = np.unique(y, return_counts=True)
    commonest = labels[np.argsort(-counts, kind="stable")[:_MOST_CLASSES]]
    return (y[:, None] == commonest[None, :]).astype(float)

