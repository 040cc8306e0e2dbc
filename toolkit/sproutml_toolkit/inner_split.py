"""Parts inside a fold's training rows: what is chosen or encoded there is judged on rows it was not learnt from, either.

Where rows come in groups these parts keep them whole, as the folds do: a choice between rows of the same customer or patient is a
choice for knowing them by heart, and new rows are of others.
"""

import numpy as np

from .split import deal_folds
from .split_groups import deal_groups

#: Inner parts are dealt for every fit: of more groups than this chance spreads the smaller ones well enough.
_PLACED_ONE_BY_ONE = 2_000


def deal_inside(strata: np.ndarray, groups: np.ndarray | None, parts: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) part numbers 0, 1 …, none of them empty, each of the (n,) `strata` spread evenly.

    groups: (n,) the group of each row, all rows of one in the same part and no more parts than groups; None where rows are each
    their own. Rows of a single group are dealt by chance, for nothing else can be held back.
    """
    if groups is not None:
        count = len(np.unique(groups))
        if count > 1:
            return deal_groups(groups, strata, min(parts, count), rng, _PLACED_ONE_BY_ONE)
    return deal_folds(strata, min(parts, len(strata)), rng)
