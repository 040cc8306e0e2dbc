"""Scores the test rows of one fold with scikit-learn's own functions. Only the harness knows these rows' targets."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error

from .catalogue import Dataset
from .errors import BenchError

_LOWER_IS_BETTER = frozenset({"logloss", "rmse"})


def is_lower_better(metric: str) -> bool:
    """True for losses and errors, False for scores."""
    return metric in _LOWER_IS_BETTER


def read_predictions(path: Path, dataset: Dataset, rows: int) -> np.ndarray:
    """(rows, classes) probabilities in the order of `dataset.classes`, each row summing to 1; (rows,) values for regression.

    The file has a column per class label, or one called `prediction`, and a line per test row in the order of test.csv. A
    class that a system never saw may be left out and counts as probability 0. Raises PREDICTIONS_INVALID.
    """
    table = pd.read_csv(path)
    if len(table) != rows:
        raise BenchError("PREDICTIONS_INVALID", f"{len(table)} predictions for {rows} test rows.")
    wanted = dataset.classes or ["prediction"]
    unknown = [name for name in table.columns if name not in wanted]
    if unknown or len(table.columns) == 0:
        raise BenchError("PREDICTIONS_INVALID", f"columns {', '.join(unknown) or 'none'} where {', '.join(wanted)} are known.")
    values = table.reindex(columns=wanted, fill_value=0.0).to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise BenchError("PREDICTIONS_INVALID", "some predictions are missing or infinite.")
    if dataset.task == "regression":
        return values[:, 0]
    sums = values.sum(axis=1, keepdims=True)
    if (values < 0).any() or (np.abs(sums - 1) > 0.01).any():
        raise BenchError("PREDICTIONS_INVALID", "some rows' probabilities are negative or do not sum to 1.")
    return values / sums


def score(dataset: Dataset, truth: np.ndarray, predictions: np.ndarray) -> float:
    """The metric's own value (RMSE 50.0, not -50.0). `truth` is (rows,) text as in the table."""
    if dataset.metric == "rmse":
        return float(root_mean_squared_error(truth.astype(float), predictions))
    if dataset.metric == "logloss":
        return float(log_loss(truth, predictions, labels=dataset.classes))
    positive = dataset.positive_class if dataset.positive_class is not None else dataset.classes[-1]
    return float(roc_auc_score(truth == positive, predictions[:, dataset.classes.index(positive)]))
