"""Who is better, and whether chance explains it.

On one dataset the folds' scores are not independent (their training rows overlap), so the paired t-test is the corrected
one of Nadeau & Bengio, "Inference for the Generalization Error" (Machine Learning 52, 2003), in the form for k-fold
cross-validation of Bouckaert & Frank (PAKDD 2004). Over datasets it is the Wilcoxon signed-rank test on the datasets' means,
as in Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets" (JMLR 7, 2006).
"""

import math
from typing import Literal

import numpy as np
from scipy import stats

Outcome = Literal["win", "tie", "loss"]

# Below 6 pairs no outcome of the two-sided signed-rank test is under 0.05.
_FEWEST_DATASETS = 6


def corrected_t_test(differences: np.ndarray, folds: int) -> float:
    """Two-sided p that paired differences (one per fold run) are chance; NaN below two of them.

    `folds` is how many folds the table was cut into, of which fewer may have been run: test to train rows are 1 to folds-1.
    """
    count = len(differences)
    if count < 2:
        return float("nan")
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    t = mean / math.sqrt(variance * (1 / count + 1 / (folds - 1)))
    return float(2 * stats.t.sf(abs(t), count - 1))


def outcome(ours: np.ndarray, theirs: np.ndarray, folds: int, lower_is_better: bool) -> tuple[Outcome, float]:
    """Ours against theirs on one dataset, and p: a tie unless p is under 0.05."""
    gain = (theirs - ours) if lower_is_better else (ours - theirs)
    p = corrected_t_test(gain, folds)
    if not p < 0.05:
        return "tie", p
    return ("win" if gain.mean() > 0 else "loss"), p


def signed_rank_test(ours: np.ndarray, theirs: np.ndarray, lower_is_better: np.ndarray) -> float:
    """Two-sided p over datasets' mean scores; NaN where there are too few. Differences are relative: metrics differ in size."""
    if len(ours) < _FEWEST_DATASETS:
        return float("nan")
    scale = np.maximum(np.maximum(np.abs(ours), np.abs(theirs)), np.finfo(float).tiny)
    gain = np.where(lower_is_better, theirs - ours, ours - theirs) / scale
    if not gain.any():
        return 1.0
    return float(stats.wilcoxon(gain).pvalue)


def ranks(scores: list[float | None], lower_is_better: bool) -> list[float]:
    """1 is best; equals share the mean of their ranks, and those without a score share the last ones."""
    worst = math.inf
    return stats.rankdata([worst if s is None else (s if lower_is_better else -s) for s in scores]).tolist()
