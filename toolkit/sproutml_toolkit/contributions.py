"""What moved the model's answer for one row: how far each column's value takes it from the average answer.

Source: Štrumbelj & Kononenko, Explaining prediction models and individual predictions with feature contributions (2014):
Shapley values by sampling. A walk starts at another row of the table and takes over the explained row's values one column at a
time, in a random order; a column's contribution is its mean step. It works for any model, an ensemble of several kinds
included, where a tree's own SHAP values would explain one member only.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .sampling import evenly_spaced
from .speed import Speed
from .workspace import Scorer

_FEWEST_WALKS = 12
_MOST_WALKS = 60
_CELLS_PER_CALL = 2_000_000


@dataclass(frozen=True)
class Contributions:
    """moved: (rows, groups), in the units of the answer; `base` (rows,) + its sum is the model's answer to the row.

    error: (rows, groups) standard errors, from the walks.
    """

    base: np.ndarray
    moved: np.ndarray
    error: np.ndarray
    walks: int


def contributions(
    model: Scorer,
    rows: pd.DataFrame,
    answers: np.ndarray,
    outputs: np.ndarray | None,
    X: pd.DataFrame,
    order: np.ndarray,
    groups: list[list[str]],
    speed: Speed,
    seed: int,
    seconds: float,
) -> Contributions | None:
    """Contributions of each group of columns to the answers for `rows`; None when even 12 walks take over thrice `seconds`.

    answers: (rows,) the model's answer to each row. outputs: (rows,) the class each answer is the probability of, or None for
    values. X: rows to start from; order: their positions, such that evenly spaced ones are a fair picture (see sampling).
    groups: columns that are taken over together; every column is in one.
    """
    steps = len(groups) - 1  # the last step ends at the row itself, whose answer is known
    per_walk = len(rows) * steps + 1
    most = min(_MOST_WALKS, _CELLS_PER_CALL // (per_walk * rows.shape[1]), len(X))
    if steps < 1 or most < _FEWEST_WALKS or speed.rows_within(3 * seconds) < _FEWEST_WALKS * per_walk:
        return None
    walks = min(most, max(_FEWEST_WALKS, speed.rows_within(seconds) // per_walk)) // 2 * 2
    rng = np.random.default_rng(seed)
    starts = X.iloc[rng.permutation(order[evenly_spaced(len(X), walks)])].reset_index(drop=True)
    # Each way is walked once forth and once back: what one says of early columns the other says of late ones.
    forth = [rng.permutation(len(groups)) for _ in range(walks // 2)]
    ways = [way for there in forth for way in (there, there[::-1])]

    stack = [starts]
    for position in range(len(rows)):
        both = pd.concat([starts, rows.iloc[[position]]], ignore_index=True)
        stack += [_mixed(both, groups, [way[:step] for way in ways]) for step in range(1, len(groups))]
    scores = model.predict_scores(pd.concat(stack, ignore_index=True))
    base, moved, error = [], [], []
    for position in range(len(rows)):
        own = scores if outputs is None else scores[:, outputs[position]]
        at_start, between = own[:walks], own[walks:].reshape(len(rows), steps, walks)[position]
        path = np.vstack([at_start, between, np.full(walks, answers[position])])
        steps_of = np.empty((walks, len(groups)))
        for walk, way in enumerate(ways):
            steps_of[walk, way] = np.diff(path[:, walk])
        pairs = steps_of.reshape(walks // 2, 2, len(groups)).mean(axis=1)
        base.append(at_start.mean())
        moved.append(pairs.mean(axis=0))
        error.append(pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)))
    return Contributions(np.array(base), np.array(moved), np.array(error), walks)


def _mixed(both: pd.DataFrame, groups: list[list[str]], taken: list[np.ndarray]) -> pd.DataFrame:
    """The starts, each with the explained row's values in the groups its walk has taken over so far; `both` is they and it."""
    explained = len(both) - 1
    sources = np.tile(np.arange(explained), (len(groups), 1))
    for walk, numbers in enumerate(taken):
        sources[numbers, walk] = explained
    parts = [both[names].iloc[source].reset_index(drop=True) for names, source in zip(groups, sources, strict=True)]
    return pd.concat(parts, axis=1)[both.columns]
