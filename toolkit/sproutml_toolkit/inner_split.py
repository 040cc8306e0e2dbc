"""Parts inside a fold's training rows: what is chosen or encoded there is judged on rows it was not learnt from, either.

Where rows come in groups these parts keep them whole, as the folds do: a choice between rows of the same customer or patient is a
choice for knowing them by heart, and new rows are of others. Where rows are split by time it is stretches of time that stay whole: a
row between two of its own hour is known from them, and rows of the future have none such.
"""

import numpy as np

from .split import deal_folds
from .split_groups import deal_groups
from .workspace import Table

# As many as folds are blocks of time, a few times over, so that each part has early and late ones.
_STRETCHES = 20
#: Inner parts are dealt for every fit: of more groups than this chance spreads the smaller ones well enough.
_PLACED_ONE_BY_ONE = 2_000


def deal_inside(strata: np.ndarray, groups: np.ndarray | None, parts: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) part numbers 0, 1 …, none of them empty, each of the (n,) `strata` spread evenly.

    groups: (n,) the group or stretch of time of each row (see kept_whole), all rows of one in the same part and no more parts than
    groups; None where rows are each their own. Rows of a single group are dealt by chance, for nothing else can be held back.
    """
    if groups is not None:
        count = len(np.unique(groups))
        if count > 1:
            return deal_groups(groups, strata, min(parts, count), rng, _PLACED_ONE_BY_ONE)
    return deal_folds(strata, min(parts, len(strata)), rng)


def kept_whole(table: Table) -> np.ndarray | None:
    """(n,) the group or stretch of time of each row of a table that is split so; None where rows are each their own."""
    return table.groups if table.moments is None else _stretches(table.moments)


def _stretches(moments: np.ndarray) -> np.ndarray:
    """(n,) numbers growing with time, of about as many rows each; rows of the same moment (n,) have the same."""
    _, place = np.unique(moments, return_inverse=True)
    rows = np.bincount(place)
    middle = rows.cumsum() - rows / 2
    return (middle * _STRETCHES / len(moments)).astype(np.int64)[place]
