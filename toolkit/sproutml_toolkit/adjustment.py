"""Answers that are too high or too low on the whole are brought to where the metric wants them: by one factor or one constant.

A family that learns the mean is no quantile, one that learns logarithms no mean (Duan, Smearing Estimate, 1983), and what averages
neighbours shrinks. What is least in the metric is known in closed form: for squares the ratio of the sums, for relative errors a
weighted median of ratios, for absolute and pinball errors a quantile of what is left over.
"""

from dataclasses import dataclass

import numpy as np

from .families.absolute import aim_of, quantiles
from .metrics import score, utility

# A gain below this share of the score is chance.
_TRIFLE = 1e-3


@dataclass(frozen=True)
class Adjustment:
    """What turns an answer into `factor` * answer + `shift`."""

    factor: float = 1.0
    shift: float = 0.0

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """(n,) adjusted values."""
        return scores * self.factor + self.shift


def find_adjustment(metric: str, y: np.ndarray, oof: np.ndarray, folds: np.ndarray) -> tuple[Adjustment, np.ndarray]:
    """The adjustment the metric asks for, and the out-of-fold answers (n,) with it; none where it does not help.

    y: (n,) values. folds: (n,) the fold each row was held out in. Each fold's answers are adjusted by what the other folds ask
    for, so that their score is as honest as it was before.
    """
    adjusted = oof.copy()
    numbers = np.unique(folds)
    for fold in numbers if len(numbers) > 1 else []:
        held = folds == fold
        adjusted[held] = _best(metric, y[~held], oof[~held]).apply(oof[held])
    gain = utility(metric, y, adjusted) - utility(metric, y, oof)
    if not gain > _TRIFLE * abs(score(metric, y, oof)):
        return Adjustment(), oof
    return _best(metric, y, oof), adjusted


def _best(metric: str, y: np.ndarray, scores: np.ndarray) -> Adjustment:
    aim = aim_of(metric, y)
    if metric in ("RMSE", "R2", "MAPE"):
        above = scores > 0
        if (y < 0).any() or not above.any():
            return Adjustment()
        y, scores = y[above], scores[above]
        if aim is None:
            return Adjustment(factor=float(y.sum() / scores.sum()))
        weights = scores * aim.weights(y)
        return Adjustment(factor=float(quantiles((y / scores)[None], weights[None], 0.5)[0]))
    if aim is None:
        return Adjustment()
    return Adjustment(shift=float(np.quantile(y - scores, aim.quantile)))
