"""A few rows that stand for all: of the rows in order of the target, evenly spaced ones have each class and level its share."""

import numpy as np


def target_order(y: np.ndarray, seed: int) -> np.ndarray:
    """(n,) row positions by target; rows of one target in a random order."""
    return np.lexsort((np.random.default_rng(seed).random(len(y)), y))


def evenly_spaced(rows: int, count: int) -> np.ndarray:
    """(count,) positions among `rows`, each in the middle of its stretch. `count` is at most `rows`."""
    return ((np.arange(count) + 0.5) / count * rows).astype(int)
