"""Very wide tables: the columns that tell something of the target alone, chosen on a fold's training part only.

Chosen on all rows, the choice itself would have seen the held-out targets, and their score would be too good (Ambroise and
McLachlan, 2002). What only several columns together can tell is lost: hence only where the table is too wide for all of them.
"""

import numpy as np

_WIDE = 1_000
_MOST_CELLS, _FEWEST_KEPT = 1_000_000, 300
_MOST_ROWS, _MOST_CLASSES = 5_000, 10
_BINS = 8


def kept_width(width: int, rows: int) -> int:
    """How many of `width` columns are kept for a fit on `rows` rows: all up to 1,000 columns or a million cells."""
    return width if width <= _WIDE else min(width, max(_MOST_CELLS // max(rows, 1), _FEWEST_KEPT))


def strengths(values: np.ndarray, y: np.ndarray, task: str, seed: int) -> np.ndarray:
    """(width,) the share of the target's variance between each column's eighths, less what chance would give.

    values: (n, width) numbers, NaN where missing, which is a group of its own. y: (n,) class numbers, or values, which count by
    rank. Judged on 5,000 rows and the ten commonest classes at most.
    """
    if len(y) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:_MOST_ROWS])
        values, y = values[rows], y[rows]
    wanted = _wanted(y, task)
    wanted = wanted - wanted.mean(axis=0)
    total = float((wanted**2).sum()) or 1.0
    found = np.empty(values.shape[1])
    for column in range(values.shape[1]):
        groups = _groups(values[:, column])
        counts = np.bincount(groups)
        sums = np.stack([np.bincount(groups, weights=part, minlength=len(counts)) for part in wanted.T])
        seen = counts > 0
        between = float((sums[:, seen] ** 2 / counts[seen]).sum()) / total
        found[column] = between - (seen.sum() - 1) / len(y)
    return found


def _wanted(y: np.ndarray, task: str) -> np.ndarray:
    """(n, k) what is to be told: ranks, or for each class whether a row is of it."""
    if task == "REGRESSION":
        return np.argsort(np.argsort(y, kind="stable"), kind="stable").astype(float)[:, None]
    labels, counts = np.unique(y, return_counts=True)
    commonest = labels[np.argsort(-counts, kind="stable")[:_MOST_CLASSES]]
    return (y[:, None] == commonest[None, :]).astype(float)


def _groups(cells: np.ndarray) -> np.ndarray:
    """(n,) group numbers: which eighth of the known cells, a value of its own where there are few; the last for missing."""
    known = np.isfinite(cells)
    groups = np.full(len(cells), _BINS)
    if known.any():
        edges = np.quantile(cells[known], np.arange(1, _BINS) / _BINS, method="nearest")
        groups[known] = np.searchsorted(edges, cells[known], side="left")
    return groups
