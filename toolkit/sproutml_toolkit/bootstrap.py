"""How sure a score is: percentile bootstrap over rows, a thousand resamples at once.

Calling a metric a thousand times costs seconds; here every metric has a form that scores a whole stack of resamples in a few
array operations. `metrics.score` stays the definition: the tests hold each form here to it.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Rows of each class are resampled apart
(stratified), as the holdout was drawn, so no resample lacks a class; of a class of a few rows, labels not seen are drawn as well
(see rare_classes). Where rows were split by group or by time, whole groups or
blocks of time are drawn instead (see resampling), whatever classes they hold; resamples without a score are left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from .metrics import LABEL_METRICS, labels, pinball_losses, quantile_of, scores_of_counts
from .rare_classes import with_unseen
from .resampling import Units

#: Cells (resamples x rows) held in memory at once, and allowed altogether before resamples are cut to `_FEWEST`.
_CELLS_AT_ONCE = 2_000_000
_CELLS_IN_ALL = 20_000_000
_FEWEST = 200


@dataclass(frozen=True)
class Interval:
    """The middle `level` of the scores of `resamples` resamples."""

    low: float
    high: float
    level: float
    resamples: int


def interval(
    metric: str,
    y: np.ndarray,
    scores: np.ndarray,
    seed: int,
    resamples: int = 1000,
    level: float = 0.95,
    units: Units | None = None,
) -> Interval | None:
    """The bootstrap interval of a score; None where the metric is undefined on most resamples, or there is but one unit.

    `y` (n,) and `scores` (n, k) or (n,) as in `metrics`. units: what is drawn in place of single rows, if anything. Beyond 20,000 rows fewer resamples are drawn (never under 200): the
    interval of so many rows is narrow and known well enough.
    """
    resamples = min(resamples, max(_FEWEST, _CELLS_IN_ALL // max(len(y), 1)))
    if units is not None and units.count < 2:
        return None
    drawn = draw(y, scores.ndim == 2, resamples, seed, units)
    unseen = with_unseen(y, scores) if units is None and metric in LABEL_METRICS else None
    if unseen is not None:
        rng = np.random.default_rng([seed, 1])
        y, scores, drawn = unseen.y, unseen.scores, (unseen.swap(picks, rng) for picks in drawn)
    statistic = resampler(metric, y, scores)
    values = np.concatenate([statistic(picks) for picks in drawn])
    values = values[np.isfinite(values)]
    if len(values) * 2 < resamples:
        return None
    tail = (1 - level) / 2 if units is None else units.tail(level)
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), level, resamples)


def draw(
    y: np.ndarray, stratified: bool, resamples: int, seed: int, units: Units | None = None
) -> Iterator[np.ndarray]:
    """Row positions of each resample, as chunks of shape (some resamples, n); of units, (1, the resample's rows)."""
    rng = np.random.default_rng(seed)
    if units is not None:
        yield from (picks[None] for picks in units.draw(resamples, rng))
        return
    strata = [np.flatnonzero(y == value) for value in np.unique(y)] if stratified else [np.arange(len(y))]
    at_once = max(1, _CELLS_AT_ONCE // max(len(y), 1))
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        yield np.concatenate([rows[rng.integers(0, len(rows), (count, len(rows)))] for rows in strata], axis=1)


def resampler(metric: str, y: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A function from row positions (b, n) to the metric's value on each of the b resamples (b,)."""
    quantile = quantile_of(metric)
    if quantile is not None:
        return _mean_of(pinball_losses(y, scores, quantile))
    if metric in _OF_ROWS:
        return _OF_ROWS[metric](y, scores)
    if metric in LABEL_METRICS:
        return _from_counts(partial(scores_of_counts, metric), y, scores)
    if metric == "ROC_AUC":
        codes = [1] if scores.shape[1] == 2 else np.unique(y).tolist()
        areas = [_from_ranks(_area_under_roc, y == code, scores[:, code]) for code in codes]
        return lambda picks: np.mean([area(picks) for area in areas], axis=0)
    if metric == "PR_AUC":
        return _from_ranks(_average_precision, y == 1, scores[:, 1])
    raise KeyError(metric)


def _mean_of(per_row: np.ndarray, finish: Callable[[np.ndarray], np.ndarray] = lambda mean: mean):
    return lambda picks: finish(per_row[picks].mean(axis=1))


def _log_loss(y: np.ndarray, scores: np.ndarray):
    clipped = np.clip(scores, 1e-7, 1.0)
    return _mean_of(-np.log(clipped[np.arange(len(y)), y] / clipped.sum(axis=1)))


def _rmsle(y: np.ndarray, scores: np.ndarray):
    if (y < 0).any():
        return lambda picks: np.full(len(picks), np.nan)
    return _mean_of((np.log1p(np.maximum(scores, 0.0)) - np.log1p(y)) ** 2, np.sqrt)


def _r2(y: np.ndarray, scores: np.ndarray):
    centred = y - y.mean()
    squared_error = (y - scores) ** 2

    def of(picks: np.ndarray) -> np.ndarray:
        picked = centred[picks]
        spread = ((picked - picked.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 1 - squared_error[picks].sum(axis=1) / spread, np.nan)

    return of


def _median_ae(y: np.ndarray, scores: np.ndarray):
    error = np.abs(y - scores)
    return lambda picks: np.median(error[picks], axis=1)


_OF_ROWS = {
    "LOG_LOSS": _log_loss,
    "RMSE": lambda y, scores: _mean_of((y - scores) ** 2, np.sqrt),
    "MAE": lambda y, scores: _mean_of(np.abs(y - scores)),
    "MEDIAN_AE": _median_ae,
    "MAPE": lambda y, scores: _mean_of(np.abs(y - scores) / np.maximum(np.abs(y), np.finfo(np.float64).eps)),
    "RMSLE": _rmsle,
    "R2": _r2,
}


def _from_counts(formula: Callable[[np.ndarray], np.ndarray], y: np.ndarray, scores: np.ndarray):
    """A metric of the confusion matrix: count each resample's matrices (b, k, k), then one formula."""
    k = scores.shape[1]
    cell = y * k + labels(scores)

    def of(picks: np.ndarray) -> np.ndarray:
        shifted = cell[picks] + np.arange(len(picks))[:, None] * (k * k)
        counts = np.bincount(shifted.ravel(), minlength=len(picks) * k * k)
        return formula(counts.reshape(len(picks), k, k).astype(float))

    return of


def _from_ranks(formula: Callable[[np.ndarray, np.ndarray], np.ndarray], positive: np.ndarray, score: np.ndarray):
    """A metric of the ranking: per distinct score, highest first, how many positive and negative rows each resample has."""
    distinct, rank = np.unique(-score, return_inverse=True)
    width = len(distinct)
    column = rank + np.where(positive, 0, width)

    def of(picks: np.ndarray) -> np.ndarray:
        shifted = column[picks] + np.arange(len(picks))[:, None] * (2 * width)
        counts = np.bincount(shifted.ravel(), minlength=len(picks) * 2 * width).reshape(len(picks), 2, width)
        with np.errstate(divide="ignore", invalid="ignore"):
            return formula(counts[:, 0], counts[:, 1])

    return of


def _area_under_roc(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    above = np.cumsum(positives, axis=1) - positives / 2
    return (above * negatives).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))


def _average_precision(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    found = np.cumsum(positives, axis=1)
    flagged = found + np.cumsum(negatives, axis=1)
    precision = found / np.maximum(flagged, 1)
    return (positives * precision).sum(axis=1) / positives.sum(axis=1)
