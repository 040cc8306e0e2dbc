"""Which label is answered: the class whose probability times its weight is greatest. Weights are chosen where they pay.

The most probable class is the right answer for accuracy alone. F1, balanced accuracy and MCC want a rare class named sooner:
of two classes that is a threshold on one's probability; of more, each class counts by its share of the rows to the power of
-a, from 0 (the most probable class) to about 1 (all classes alike). Weights for each class apart were tried, and chased the few
rows of rare classes; accuracy was tried, and gained ensembles nothing. Probabilities stay as they are.

Scored by the weights that other folds ask for, a rule does not flatter: nine models each of white wines (balanced accuracy, five
splits) were .08 better on sealed rows than in validation, of credit_g (F1, four splits) .015 worse. By weights of the rows that are
scored, validation would have said .012 and .004 more. What is left of a gap is chance, most of all where a class has few sealed
rows (see rare_classes).

Sources: Lipton et al., Optimal Thresholding of Classifiers to Maximize F1 Measure (2014); Menon et al., On the Statistical
Consistency of Algorithms for Binary Classification under Class Imbalance (2013).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from .metrics import labels, scores_of_counts

METRICS = frozenset({"BALANCED_ACCURACY", "F1", "F1_MACRO", "MCC"})

# So many rows tell one number well enough, and so many cells are quick to look at.
_MOST_ROWS, _MOST_CELLS = 20_000, 140_000
# Logarithms of the second class's weight over the first's, and the width by which a curve over them is smoothed: a peak
# narrower than that is chance.
_LOG_ODDS = np.linspace(-12.0, 12.0, 241)
_STEPS_SMOOTHED = 2.0
_RESAMPLES = 20
_POWERS = np.linspace(0.0, 1.25, 26)
_SMOOTHING = np.array([0.1, 0.2, 0.4, 0.2, 0.1])
_FLOOR, _ROUNDING = 1e-7, 1e-9


@dataclass(frozen=True)
class LabelRule:
    """weights: one per class, positive. of_folds: for the rows of each fold, in order, those that the other folds ask for."""

    weights: list[float]
    of_folds: list[list[float]]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def note(self, classes: list[str]) -> str:
        """What a trial's notes say of it."""
        if len(classes) == 2:
            return f"{classes[1]} is answered from a probability of {probability_words(threshold(self.weights))} on"
        return "rare classes are answered sooner than at the greatest probability"


def rule_of(result: dict[str, Any]) -> LabelRule | None:
    """The rule in a trial's result; None where the most probable class is the answer."""
    return LabelRule(**result["rule"]) if result.get("rule") else None


def find_rule(metric: str, y: np.ndarray, oof: np.ndarray, folds: np.ndarray) -> LabelRule | None:
    """The rule that raises `metric` on `oof` (n, n_classes); None where none does, or the metric has no use for one.

    y: (n,) class numbers. folds: (n,) the fold each row was held out in. Each fold is answered by the weights that the others
    ask for, so that the score under the rule is as honest as it was before.
    """
    if metric not in METRICS:
        return None
    rows, counts = _sample(y, oof.shape[1])
    sampled = y[rows], oof[rows], counts
    of_folds = [_weights(metric, *(part[folds[rows] != fold] for part in sampled)) for fold in np.unique(folds)]
    rule = LabelRule(_weights(metric, *sampled), of_folds)
    gain = _quick_score(metric, y, weighed_oof(rule, oof, folds)) - _quick_score(metric, y, oof)
    return rule if gain > _ROUNDING else None


def weighed(scores: np.ndarray, weights: list[float] | np.ndarray | None) -> np.ndarray:
    """(n, n_classes) scores whose greatest entry in a row is the answer, for label metrics: the probabilities times `weights`,
    (n_classes,) or (n, n_classes), each row summing to 1. Without weights, what it is given."""
    if weights is None:
        return scores
    products = scores * np.asarray(weights)
    return products / np.maximum(products.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def weighed_oof(rule: LabelRule | None, oof: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Out-of-fold scores, each fold's weighed by what the other folds ask for."""
    if rule is None:
        return oof
    return weighed(oof, np.array(rule.of_folds)[np.unique(folds, return_inverse=True)[1]])


def threshold(weights: list[float]) -> float:
    """Of two classes: the probability of the second from which on it is the answer."""
    return weights[0] / (weights[0] + weights[1])


def probability_words(probability: float) -> str:
    """0.27, 0.0011; 0.9989 and not a rounded 1."""
    return f"{probability:.2g}" if probability < 0.99 else f"{probability:.5f}".rstrip("0")


def _weights(metric: str, y: np.ndarray, oof: np.ndarray, counts: np.ndarray) -> list[float]:
    """The weights that do best on these rows; their product is 1. counts: (n,) how many rows each stands for."""
    classes = oof.shape[1]
    if len(np.unique(y)) < 2:
        return [1.0] * classes
    logarithms = (_of_two if classes == 2 else _of_many)(metric, y, oof, counts)
    return np.exp(logarithms - logarithms.mean()).tolist()


def _quick_score(metric: str, y: np.ndarray, scores: np.ndarray) -> float:
    """What metrics.score says, sooner."""
    classes = scores.shape[1]
    counts = np.bincount(y * classes + labels(scores), minlength=classes**2).reshape(1, classes, classes)
    return float(scores_of_counts(metric, counts.astype(float))[0])


def _sample(y: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of rows, alike many of each class as far as there are, and (their number,) how many rows each stands for."""
    most = max(min(_MOST_ROWS, _MOST_CELLS // classes) // classes, 1)
    parts = []
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        parts.append((rows[:: -(-len(rows) // most)], len(rows)))
    counts = [np.full(len(rows), total / len(rows)) for rows, total in parts]
    return np.concatenate([rows for rows, _ in parts]), np.concatenate(counts)


def _of_two(metric: str, y: np.ndarray, oof: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The middle of the plateau of the smoothed score, averaged over resamples of the rows: one peak may be chance."""
    logarithms = np.log(np.clip(oof, _FLOOR, 1.0))
    place = np.searchsorted(_LOG_ODDS, logarithms[:, 0] - logarithms[:, 1], side="right")
    width = len(_LOG_ODDS) + 1
    histogram = np.bincount(y * width + place, weights=counts, minlength=2 * width).reshape(2, width)
    drawn = np.random.default_rng(0).poisson(histogram, (_RESAMPLES, 2, width)).astype(float)
    drawn = drawn[(drawn.sum(axis=2) > 0).all(axis=1)]
    second = drawn.cumsum(axis=2)[:, :, :-1]
    first = drawn.sum(axis=2, keepdims=True) - second
    matrices = np.stack([first, second], axis=-1).transpose(0, 2, 1, 3)
    curves = scores_of_counts(metric, matrices.reshape(-1, 2, 2)).reshape(len(drawn), -1)
    found = [_middle_of_plateau(curve) for curve in gaussian_filter1d(curves, _STEPS_SMOOTHED, mode="nearest")]
    return np.array([0.0, float(np.mean(found)) if found else 0.0])


def _middle_of_plateau(curve: np.ndarray) -> float:
    best = int(curve.argmax())
    lower = np.flatnonzero(curve < curve[best] - 1e-9)
    before, after = lower[lower < best], lower[lower > best]
    start = before[-1] + 1 if len(before) else 0
    end = after[0] - 1 if len(after) else len(curve) - 1
    return float(_LOG_ODDS[start] + _LOG_ODDS[end]) / 2


def _of_many(metric: str, y: np.ndarray, oof: np.ndarray, counts: np.ndarray) -> np.ndarray:
    classes = oof.shape[1]
    rarity = -np.log(np.bincount(y, weights=counts, minlength=classes) + 0.5)
    matrices = []
    for power in _POWERS:
        said = labels(oof * np.exp(power * rarity))
        matrices.append(np.bincount(y * classes + said, weights=counts, minlength=classes**2).reshape(classes, classes))
    curve = np.pad(scores_of_counts(metric, np.array(matrices)), 2, mode="edge")
    return _POWERS[np.convolve(curve, _SMOOTHING, mode="valid").argmax()] * rarity
