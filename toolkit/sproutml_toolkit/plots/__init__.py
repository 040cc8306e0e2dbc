"""The pictures of a finished job, drawn once: the same SVG goes into the report and into a file of its own."""

from typing import Any

import numpy as np

from ..metrics import labels
from .classification import calibration, confusion_matrix, precision_recall_curves, roc_curves
from .dependence import partial_dependence
from .model import feature_importance, score_over_time
from .regression import predicted_against_actual, residuals
from .svg import Plot, dark_rules

__all__ = ["Plot", "dark_rules", "feature_importance", "partial_dependence", "quality_plots", "score_over_time"]


def quality_plots(
    classes: list[str] | None, target: str, y: np.ndarray, scores: np.ndarray, weighed: np.ndarray, rows: str, quantile: float | None
) -> list[Plot]:
    """What the task's reader looks at first, in order. `y` and `scores` as in `metrics`, `weighed` the scores by the rule for
    labels; `rows` names them in words. quantile: what PINBALL asked for; None of another metric."""
    if classes is None:
        return [predicted_against_actual(y, scores, target, rows, quantile), residuals(y, scores, target, rows, quantile)]
    drawn: list[Any] = [
        confusion_matrix(y, labels(weighed), classes, rows),
        roc_curves(y, scores, classes, rows),
        precision_recall_curves(y, scores, classes, rows),
        calibration(y, scores, classes, rows),
    ]
    return [plot for plot in drawn if plot is not None]
