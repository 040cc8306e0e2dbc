"""BASELINE: the class shares, or the median (PINBALL: its quantile). What every other model must beat. No parameters."""

from typing import Any

import numpy as np

from ..baseline import middle
from ..features import Matrix
from .fold import Fold

DEFAULTS: dict[str, Any] = {}
STOPS_EARLY = True


class Constant:
    """The same answer for every row."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        return np.repeat(self.answer[None, ...], len(matrix.values), axis=0)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[None, Constant, dict[str, Any]]:
    """Count, and be done."""
    if fold.is_classification:
        return None, Constant(np.bincount(fold.y_train, minlength=fold.n_classes) / len(fold.y_train)), {}
    return None, Constant(np.asarray(middle(fold.metric, fold.y_train))), {}
