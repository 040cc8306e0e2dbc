"""Classes of so few rows that to draw them again says nothing: one row, answered right or wrong, stays so in every resample.

Metrics of labels that count every class as much then look far surer than they are. So a draw of a class of n rows is, once in n + 1
times, of a row not seen, which is answered right as often as rows are on average over the classes: Laplace's rule of succession,
with the other classes for what is known beforehand (as in Rubin, The Bayesian Bootstrap, 1981).
"""

from dataclasses import dataclass

import numpy as np

from .metrics import labels

#: From so many rows of a class on, they speak for themselves.
_ENOUGH = 10


@dataclass(frozen=True)
class Unseen:
    """y (n,) and scores (n, k) with rows behind that stand for unseen ones. right, wrong: (k,) where those of each class are, 0
    for classes with rows enough; hit: how often an unseen row is answered rightly."""

    y: np.ndarray
    scores: np.ndarray
    right: np.ndarray
    wrong: np.ndarray
    hit: float

    def swap(self, picks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(b, n) row positions, a column of one class throughout, in which some of rare classes are unseen rows."""
        counts = np.bincount(self.y[picks[0]], minlength=len(self.right))
        columns = np.flatnonzero(self.right[self.y[picks[0]]])
        kinds = self.y[picks[0, columns]]
        shape = (len(picks), len(columns))
        unseen = np.where(rng.random(shape) < self.hit, self.right[kinds], self.wrong[kinds])
        swapped = picks.copy()
        swapped[:, columns] = np.where(rng.random(shape) < 1 / (counts[kinds] + 1), unseen, picks[:, columns])
        return swapped


def with_unseen(y: np.ndarray, scores: np.ndarray) -> Unseen | None:
    """Of class numbers (n,) and scores (n, k) whose greatest is the label answered; None where no class is so rare."""
    kinds = scores.shape[1]
    counts = np.bincount(y, minlength=kinds)
    rare = np.flatnonzero((counts > 0) & (counts < _ENOUGH))
    if len(rare) == 0 or (counts > 0).sum() < 2:
        return None
    said = np.bincount(labels(scores), minlength=kinds) + counts / len(y)
    right, wrong = np.zeros(kinds, dtype=np.int64), np.zeros(kinds, dtype=np.int64)
    answers = []
    for kind in rare:
        other = int(np.where(np.arange(kinds) == kind, -1, said).argmax())
        right[kind], wrong[kind] = len(y) + len(answers), len(y) + len(answers) + 1
        answers += [kind, other]
    recalls = np.bincount(y, weights=labels(scores) == y, minlength=kinds)[counts > 0] / counts[counts > 0]
    return Unseen(
        np.concatenate([y, np.repeat(rare, 2)]), np.concatenate([scores, np.eye(kinds)[answers]]), right, wrong, float(recalls.mean())
    )
