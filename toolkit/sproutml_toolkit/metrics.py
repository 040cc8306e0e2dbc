"""Every metric of the product, one definition for training, selection, evaluation and report alike.

`y` is (n,) class numbers or values; `scores` is (n, n_classes) probabilities for classification, (n,) values for
regression. A metric that is undefined on these rows (ROC_AUC with one class present) is NaN. A label metric looks only at which
score of a row is the greatest: give it the probabilities, or those weighed by a rule (see label_rule).

PINBALL is a metric per quantile: to be computed it needs one, as in "PINBALL@0.9" (see `metric_of`).
Source: Koenker & Bassett, Regression Quantiles (1978).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn import metrics as sk

TASKS = ("BINARY", "MULTICLASS", "REGRESSION")

METRICS_OF_TASK: dict[str, tuple[str, ...]] = {
    "BINARY": (
        "ROC_AUC", "PR_AUC", "LOG_LOSS", "ACCURACY", "BALANCED_ACCURACY", "F1", "F1_MACRO", "MCC",
    ),
    "MULTICLASS": ("ROC_AUC", "LOG_LOSS", "ACCURACY", "BALANCED_ACCURACY", "F1_MACRO", "MCC"),
    "REGRESSION": ("RMSE", "MAE", "MEDIAN_AE", "MAPE", "RMSLE", "PINBALL", "R2"),
}  # fmt: skip

DEFAULT_METRIC = {"BINARY": "ROC_AUC", "MULTICLASS": "LOG_LOSS", "REGRESSION": "RMSE"}

_LOWER_IS_BETTER = frozenset({"LOG_LOSS", "RMSE", "MAE", "MEDIAN_AE", "MAPE", "RMSLE", "PINBALL"})

#: Those that look at the answered labels alone.
LABEL_METRICS = frozenset({"ACCURACY", "BALANCED_ACCURACY", "F1", "F1_MACRO", "MCC"})

# Probabilities are kept this far from 0 and 1, as scikit-learn does for float32, so one sure mistake stays finite.
_PROBABILITY_FLOOR = 1e-7


def is_lower_better(metric: str) -> bool:
    """True for losses and errors, False for scores."""
    return metric.partition("@")[0] in _LOWER_IS_BETTER


def metric_of(profile: dict[str, Any]) -> str:
    """The job's metric as `score` takes it: its name, and PINBALL's quantile after an "@"."""
    name = profile["metric"]
    return f"{name}@{profile['quantile']!r}" if name == "PINBALL" else name


def quantile_of(metric: str) -> float | None:
    """0.9 of PINBALL@0.9; None of any other metric."""
    name, _, quantile = metric.partition("@")
    return float(quantile) if name == "PINBALL" else None


def score(metric: str, y: np.ndarray, scores: np.ndarray) -> float:
    """The metric's own value (RMSE 50.0, not -50.0); NaN where it is undefined on these rows."""
    if len(y) == 0:
        return float("nan")
    quantile = quantile_of(metric)
    if quantile is not None:
        return float(pinball_losses(y, scores, quantile).mean())
    return float(_FUNCTIONS[metric](y, scores))


def all_metrics(task: str, y: np.ndarray, scores: np.ndarray, weighed: np.ndarray, metric: str) -> dict[str, float]:
    """Every metric that fits the task, by name: of the labels by `weighed`, of probabilities and values by `scores`.

    PINBALL only where it is the job's own `metric`.
    """
    others = {name: score(name, y, weighed if name in LABEL_METRICS else scores) for name in METRICS_OF_TASK[task] if name != "PINBALL"}
    return others if quantile_of(metric) is None else others | {"PINBALL": score(metric, y, scores)}


def pinball_losses(y: np.ndarray, scores: np.ndarray, quantile: float) -> np.ndarray:
    """(n,) loss of each row: `quantile` times the error where the value lies above the answer, 1 - `quantile` times it below."""
    error = y - scores
    return np.maximum(quantile * error, (quantile - 1.0) * error)


def share_below(y: np.ndarray, scores: np.ndarray) -> float:
    """The share of the rows whose value is no larger than the answer: what PINBALL's quantile asks for."""
    return float(np.mean(y <= scores))


def utility(metric: str, y: np.ndarray, scores: np.ndarray) -> float:
    """The score turned so that larger is better, for selection; an undefined one is minus infinity."""
    value = score(metric, y, scores)
    if np.isnan(value):
        return -np.inf
    return -value if is_lower_better(metric) else value


def _area_under_roc(positive: np.ndarray, scores: np.ndarray) -> float:
    """The Mann-Whitney statistic: the share of positive-negative pairs ranked rightly, ties counted half."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    rank_sum = rankdata(scores)[positive].sum()
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _roc_auc(y: np.ndarray, scores: np.ndarray) -> float:
    """Binary: of class 1. Multiclass: the mean of one class against the rest, over the classes present."""
    if scores.shape[1] == 2:
        return _area_under_roc(y == 1, scores[:, 1])
    areas = [_area_under_roc(y == label, scores[:, label]) for label in np.unique(y)]
    return float(np.mean(areas))


def _pr_auc(y: np.ndarray, scores: np.ndarray) -> float:
    if not (y == 1).any():
        return float("nan")
    return sk.average_precision_score(y == 1, scores[:, 1])


def _log_loss(y: np.ndarray, scores: np.ndarray) -> float:
    clipped = np.clip(scores, _PROBABILITY_FLOOR, 1.0)
    chosen = clipped[np.arange(len(y)), y] / clipped.sum(axis=1)
    return float(-np.log(chosen).mean())


def scores_of_counts(metric: str, counts: np.ndarray) -> np.ndarray:
    """(b,) a label metric of b confusion matrices (b, k, k): rows are the actual classes, columns the answered ones."""
    return _OF_COUNTS[metric](counts)


def labels(scores: np.ndarray) -> np.ndarray:
    """(n,) the class with the greatest score of each row."""
    return scores.argmax(axis=1)


def _balanced_accuracy(y: np.ndarray, scores: np.ndarray) -> float:
    hit = labels(scores) == y
    return float(np.mean([hit[y == label].mean() for label in np.unique(y)]))


def _mape(y: np.ndarray, scores: np.ndarray) -> float:
    return sk.mean_absolute_percentage_error(y, scores)


def _rmsle(y: np.ndarray, scores: np.ndarray) -> float:
    if (y < 0).any():
        return float("nan")
    return float(np.sqrt(np.mean((np.log1p(np.maximum(scores, 0.0)) - np.log1p(y)) ** 2)))


def _r2(y: np.ndarray, scores: np.ndarray) -> float:
    spread = ((y - y.mean()) ** 2).sum()
    return float(1.0 - ((y - scores) ** 2).sum() / spread) if spread > 0 else float("nan")


_FUNCTIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "ROC_AUC": _roc_auc,
    "PR_AUC": _pr_auc,
    "LOG_LOSS": _log_loss,
    "ACCURACY": lambda y, scores: float((labels(scores) == y).mean()),
    "BALANCED_ACCURACY": _balanced_accuracy,
    "F1": lambda y, scores: sk.f1_score(y, labels(scores), pos_label=1, zero_division=0.0),
    "F1_MACRO": lambda y, scores: sk.f1_score(y, labels(scores), average="macro", zero_division=0.0),
    "MCC": lambda y, scores: sk.matthews_corrcoef(y, labels(scores)),
    "RMSE": lambda y, scores: float(np.sqrt(np.mean((y - scores) ** 2))),
    "MAE": lambda y, scores: float(np.mean(np.abs(y - scores))),
    "MEDIAN_AE": lambda y, scores: float(np.median(np.abs(y - scores))),
    "MAPE": _mape,
    "RMSLE": _rmsle,
    "R2": _r2,
}


def _recall(counts: np.ndarray) -> np.ndarray:
    support = counts.sum(axis=2)
    hit = np.diagonal(counts, axis1=1, axis2=2)
    return np.divide(hit, support, out=np.full_like(support, np.nan), where=support > 0)


def _f1_per_class(counts: np.ndarray) -> np.ndarray:
    said_or_so = counts.sum(axis=1) + counts.sum(axis=2)
    hit = np.diagonal(counts, axis1=1, axis2=2)
    return np.divide(2 * hit, said_or_so, out=np.full_like(said_or_so, np.nan), where=said_or_so > 0)


def _mcc(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=(1, 2))
    said, so = counts.sum(axis=1), counts.sum(axis=2)
    hits = np.trace(counts, axis1=1, axis2=2)
    spread = (total**2 - (said**2).sum(axis=1)) * (total**2 - (so**2).sum(axis=1))
    return np.divide(hits * total - (said * so).sum(axis=1), np.sqrt(spread), out=np.zeros_like(total), where=spread > 0)


_OF_COUNTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ACCURACY": lambda counts: np.trace(counts, axis1=1, axis2=2) / counts.sum(axis=(1, 2)),
    "BALANCED_ACCURACY": lambda counts: np.nanmean(_recall(counts), axis=1),
    "F1": lambda counts: np.nan_to_num(_f1_per_class(counts)[:, 1]),
    "F1_MACRO": lambda counts: np.nanmean(_f1_per_class(counts), axis=1),
    "MCC": _mcc,
}
