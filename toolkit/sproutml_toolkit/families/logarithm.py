"""Values with a long tail are learnt as logarithms where that pays: by learners of sums, which a few large values would rule.

Whether it pays is asked of a quick stand-in, a ridge regression cross-validated on some of the training rows with and without
logarithms, scored by the job's metric. Its word holds for neural networks too. What an exponential of mean logarithms lacks to be
a mean is put right for the trial as a whole (see adjustment).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import skew

from ..inner_split import deal_inside
from ..metrics import score
from .absolute import aim_of, quantiles
from .fold import Fold
from .ridge import slopes_without

_LEAST_SKEW = 1.0
_LEAST_GAIN = 0.03
_ROWS = 2_000
_PARTS = 3
# Of the range of logarithms seen in training: what a line says further off is cut, for its exponential would be wild.
_MARGIN = 0.1


@dataclass(frozen=True)
class Logarithm:
    """log(1 + value / unit), and back again for logarithms from `low` to `high`."""

    unit: float
    low: float
    high: float

    def of(self, y: np.ndarray) -> np.ndarray:
        """Logarithms of values; negative ones count as 0."""
        return np.log1p(np.maximum(y, 0.0) / self.unit)

    def values(self, logarithms: np.ndarray) -> np.ndarray:
        """The values of logarithms."""
        return np.expm1(np.clip(logarithms, self.low, self.high)) * self.unit

    def learnt(self, fold: Fold) -> Fold:
        """The fold with logarithms to learn."""
        # Relative errors are about absolute ones of logarithms.
        metric = {"MAPE": "MAE", "R2": "RMSE"}.get(fold.metric, fold.metric)
        return replace(fold, y_train=self.of(fold.y_train), y_valid=self.of(fold.y_valid), metric=metric)


def choose_logarithm(values: np.ndarray, fold: Fold, asked: bool | None) -> Logarithm | None:
    """How to learn the fold's target as logarithms; None: as it is.

    values: (n, p) scaled features of the training rows. asked: yes or no where the user has decided, which values below 0 overrule.
    """
    y = fold.y_train
    if fold.is_classification or asked is False or (y < 0).any() or not (y > 0).any():
        return None
    whole = _logarithm(y)
    if asked is None:
        if len(y) < 10 * _PARTS or not skew(y) > _LEAST_SKEW:
            return None
        rng = np.random.default_rng(fold.seed)
        rows = rng.permutation(len(y))[:_ROWS]
        parts = np.arange(len(rows)) % _PARTS
        if fold.groups is not None:
            parts = deal_inside(np.zeros(len(rows)), fold.groups[rows], _PARTS, rng)
        plain, logarithmic = _losses(values[rows].astype(float), y[rows], parts, fold.metric, whole)
        if not logarithmic < (1 - _LEAST_GAIN) * plain:
            return None
    fold.notes.append("its target has a long tail and was learnt as logarithms")
    return whole


def _logarithm(y: np.ndarray) -> Logarithm:
    unit = float(np.quantile(y[y > 0], 0.01))
    ends = np.log1p(np.array([y.min(), y.max()]) / unit)
    margin = _MARGIN * float(np.ptp(ends))
    return Logarithm(unit, max(float(ends[0]) - margin, 0.0), float(ends[1]) + margin)


def _losses(
    values: np.ndarray, y: np.ndarray, parts: np.ndarray, metric: str, logarithm: Logarithm
) -> tuple[float, float]:
    """The stand-in's error on held rows, learning values and learning logarithms; `parts` (n,) are held in turn."""
    targets = np.column_stack([y, logarithm.of(y)])
    answers = np.empty_like(targets)
    for held, slopes, intercepts in slopes_without(values, targets, parts, alpha=1.0):
        answers[held] = values[held] @ slopes + intercepts
        aim = aim_of(metric, y[~held])
        if aim is not None:
            left_over = (targets[~held] - values[~held] @ slopes - intercepts).T
            answers[held] += quantiles(left_over, np.tile(aim.weights(y[~held]), (2, 1)), aim.quantile)
    asked = {"R2": "RMSE", "MEDIAN_AE": "MAE"}.get(metric, metric)
    return score(asked, y, answers[:, 0]), score(asked, y, logarithm.values(answers[:, 1]))
