"""What a model that looks at no column would say: the classes' shares, or a quantile. Every score is shown beside it.

Its rule for labels is chosen like any model's: for F1 it answers the positive class always.
"""

import numpy as np

from .metrics import quantile_of


def baseline_scores(metric: str, task: str, train_y: np.ndarray, rows: int, classes: int) -> np.ndarray:
    """(rows, classes) the shares of the classes among `train_y`, or (rows,) its median, or the quantile PINBALL asks for."""
    if task == "REGRESSION":
        return np.full(rows, middle(metric, train_y))
    share = np.bincount(train_y, minlength=classes) / len(train_y)
    return np.tile(share, (rows, 1))


def middle(metric: str, y: np.ndarray) -> float:
    """The median of the values, or the quantile PINBALL asks for."""
    return float(np.quantile(y, quantile_of(metric) or 0.5))
