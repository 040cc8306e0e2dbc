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


def some_of(rows: np.ndarray, most: int, seed: int, classes: np.ndarray | None = None) -> np.ndarray:
    """(m,) in ascending order, `most` of these row positions by chance.

    classes: (n,) class numbers of all rows; of each class 20 are among those chosen, or all that there are, beyond `most` if need be.
    """
    order = np.random.default_rng(seed).permutation(rows)
    chosen = [order[:most]]
    if classes is not None:
        chosen += [order[classes[order] == label][:_FEWEST_OF_CLASS] for label in np.unique(classes)]
    return np.unique(np.concatenate(chosen))


def sample_of_fold(
    held: np.ndarray, most: int, seed: int, classes: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) masks of some of the rows not held (see some_of), and of evenly spaced held ones, about a quarter of `most` at most:
    enough to see when to stop."""
    fitted, watched = np.zeros_like(held), np.zeros_like(held)
    fitted[some_of(np.flatnonzero(~held), most, seed, classes)] = True
    rows = np.flatnonzero(held)
    watched[rows[:: max(-(-4 * len(rows) // most), 1)]] = True
    return fitted, watched
