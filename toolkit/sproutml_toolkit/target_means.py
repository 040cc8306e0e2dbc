"""The target's mean in each category, for learners that take no category as it is: large ones would be too many columns.

A training row's means come out of inner parts, so that no row sees its own target, nor those of its group.

Source: Micci-Barreca, A preprocessing scheme for high-cardinality categorical attributes (2001).
"""

import numpy as np
from sklearn.preprocessing import TargetEncoder

from .inner_split import deal_inside

_PARTS = 5


def learn_target_means(
    codes: np.ndarray, y: np.ndarray, groups: np.ndarray | None, task: str, seed: int
) -> tuple[TargetEncoder, np.ndarray]:
    """(the encoder for other rows, the training rows' means as columns), for (n, k) category codes and targets (n,) that differ.

    groups: (n,) as in inner_split. One column for each code column, and for each class of more than two.
    """
    kind = "continuous" if task == "REGRESSION" else "binary" if len(np.unique(y)) == 2 else "multiclass"
    strata = np.zeros(len(y)) if task == "REGRESSION" else y
    numbers = deal_inside(strata, groups, _PARTS, np.random.default_rng(seed))
    parts = [(np.flatnonzero(numbers != part), np.flatnonzero(numbers == part)) for part in np.unique(numbers)]
    encoder = TargetEncoder(target_type=kind, cv=parts)
    means = encoder.fit_transform(codes, y)
    # Of use to the training rows alone: models need not carry their positions.
    return encoder.set_params(cv=_PARTS), means
