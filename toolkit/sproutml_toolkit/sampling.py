"""A few rows that stand for all: of the rows in order of the target, evenly spaced ones have each class and level its share."""

import numpy as np

_FEWEST_ROWS = 2_000
_FEWEST_OF_CLASS = 20


def target_order(y: np.ndarray, seed: int) -> np.ndarray:
    """(n,) row positions by target; rows of one target in a random order."""
    return np.lexsort((np.random.default_rng(seed).random(len(y)), y))


def evenly_spaced(rows: int, count: int) -> np.ndarray:
    """(count,) positions among `rows`, each in the middle of its stretch. `count` is at most `rows`."""
    return ((np.arange(count) + 0.5) / count * rows).astype(int)


def fewer_rows(most: int, rows: int, took: float, left: float) -> int:
    """How many rows, at most `most` of `rows` and no fewer than 2,000, to learn from next, when learning from those took `took`
    seconds and the next turn may take `left`."""
    learnt = min(most, rows)
    return most if took <= left else min(learnt, max(int(learnt * left / took), _FEWEST_ROWS))


def sample_of_fold(
    held: np.ndarray, most: int, seed: int, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) masks of `most` rows of those not held, by chance, and of evenly spaced held ones, about a quarter as many at most:
    enough to see when to stop.

    classes: (n,) class numbers; of each 20 rows at least are among those that are fitted, or all that there are.
    """
    fitted, watched = np.zeros_like(held), np.zeros_like(held)
    order = np.random.default_rng(seed).permutation(np.flatnonzero(~held))
    fitted[order[:most]] = True
    if classes is not None:
        for label in np.unique(classes):
            fitted[order[classes[order] == label][:_FEWEST_OF_CLASS]] = True
    rows = np.flatnonzero(held)
    watched[rows[:: max(-(-4 * len(rows) // most), 1)]] = True
    return fitted, watched
