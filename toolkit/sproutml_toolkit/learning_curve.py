"""Would more rows help? One quick booster, fitted on either half and on all of each fold's training rows.

It stands in for the winner, which would take far too long to train again. Fits are compared by what a booster minimises (log
loss, squared, absolute or pinball error) and not by the job's metric, whose jumps from fold to fold (ROC AUC's, say) would drown
the difference; and with both halves, for which half one happens to have is chance as well. The folds share training rows: it is a
hint and not a test.
"""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from .families import family
from .families.fold import Fold, FoldModel
from .inner_split import deal_inside, kept_whole
from .metrics import pinball_losses, quantile_of
from .sampling import some_of
from .workspace import Table

_QUICK = {"rounds": 60, "early_stopping_rounds": 8, "learning_rate": 0.15, "num_leaves": 15}
_FEWEST_FOLDS = 3
_FEWEST_ROWS = 80
_FEWEST_OF_CLASS = 16
#: Of larger tables a part is looked at: a fit of all would take the booster longer than a look should. Of a part of fewer rows than
#: this nothing is said.
_MOST_CELLS, _FEWEST_OF_PART = 400_000, 5_000
#: A doubling that cuts the error by less is hardly worth it.
_TRIFLE = 0.02
_LEVEL = 0.90
#: One sure mistake must not decide.
_PROBABILITY_FLOOR = 1e-3
_LEARN_ABSOLUTE_ERROR = frozenset({"MAE", "MEDIAN_AE", "MAPE"})


@dataclass(frozen=True)
class LearningCurve:
    """rows: a fold's training rows; half: of them. cut: the share by which the error (log loss, root mean squared, mean absolute
    or pinball error) is smaller with all rows than with half, with its 90% interval `low` to `high` over `folds` folds.

    verdict: HELPS (surely smaller, by 2% or more), FLAT (surely by no more than 2%) or UNSURE.
    """

    half: int
    rows: int
    folds: int
    cut: float
    low: float
    high: float
    verdict: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def learning_curve(
    train: Table, folds: np.ndarray, features: list[dict[str, Any]], task: str, metric: str, seed: int, seconds: float
) -> LearningCurve | None:
    """The comparison over as many folds as fit in `seconds`; None when rows are too few or three folds would take thrice that.

    `train`, `folds` and `features` are the job's (see workspace). Rows of classes with fewer than 16 are left out. Of a large table a
    part is compared with its half, and only FLAT is told: what brings a part no gain brings all rows none, but not the other way round.
    """
    rows, most = np.arange(len(train)), _MOST_CELLS // max(len(features), 1)
    is_part = len(rows) > most
    if is_part:
        rows = some_of(rows, most, seed)
    if task != "REGRESSION":
        labels = train.y[rows]
        rows = rows[np.bincount(labels)[labels] >= _FEWEST_OF_CLASS]
        if len(np.unique(train.y[rows])) < 2:
            return None
    if len(rows) < (_FEWEST_OF_PART if is_part else _FEWEST_ROWS):
        return None
    table, folds = train.take(rows), folds[rows]
    if task != "REGRESSION":
        table.y = np.unique(table.y, return_inverse=True)[1]
    strata = folds if task == "REGRESSION" else table.y * (folds.max() + 1) + folds
    # More rows of a table of groups are rows of more groups.
    in_first = deal_inside(strata, kept_whole(table), 2, np.random.default_rng(seed)) == 0

    deadline = time.monotonic() + seconds
    halves: list[float] = []
    wholes: list[float] = []
    for fold in np.unique(folds):
        started = time.monotonic()
        held = folds == fold
        parts = (~held & in_first, ~held & ~in_first, ~held)
        if any(_lacks(table.y[part], table.y, task) for part in parts):
            continue  # the groups of a half left out a class, or all rows
        first, second, whole = (_quick_loss(table, part, held, features, task, metric, seed) for part in parts)
        halves.append((first + second) / 2)
        wholes.append(whole)
        lap, missing = time.monotonic() - started, _FEWEST_FOLDS - len(wholes)
        # The first three folds may take thrice the time: with fewer nothing can be said.
        if time.monotonic() + max(missing, 1) * lap > deadline + (2 * seconds if missing > 0 else 0):
            break
    if len(wholes) < _FEWEST_FOLDS:
        return None
    size = round(len(table) * (1 - 1 / len(np.unique(folds))))
    is_squared = task == "REGRESSION" and metric not in _LEARN_ABSOLUTE_ERROR and quantile_of(metric) is None
    found = _judged(np.array(halves), np.array(wholes), size, is_squared)
    return None if is_part and found is not None and found.verdict != "FLAT" else found


def _lacks(part: np.ndarray, y: np.ndarray, task: str) -> bool:
    """Whether a part's targets are too few to learn from, or without some class."""
    return len(part) < _FEWEST_OF_CLASS or task != "REGRESSION" and len(np.unique(part)) < len(np.unique(y))


def _quick_loss(
    table: Table, fitted: np.ndarray, held: np.ndarray, features: list[dict[str, Any]], task: str, metric: str, seed: int
) -> float:
    """The mean loss on the held rows of a booster fitted on the others; both (n,) masks."""
    booster = family("LIGHTGBM")
    classes = int(table.y.max()) + 1 if task != "REGRESSION" else 0
    X, y, whole = table.X[held], table.y[held], kept_whole(table)
    fold = Fold(
        X_train=table.X[fitted], y_train=table.y[fitted], X_valid=X, y_valid=y,
        task=task, metric=metric, n_classes=classes, features=features, seed=seed, threads=1,
        groups=None if whole is None else whole[fitted],
    )  # fmt: skip
    encoder, estimator, _ = booster.fit(fold, booster.DEFAULTS | _QUICK)
    scores = FoldModel(encoder, estimator, classes or None, np.arange(classes) if classes else None).predict_scores(X)
    if classes:
        return float(-np.log(scores[np.arange(len(y)), y].clip(_PROBABILITY_FLOOR)).mean())
    quantile = quantile_of(metric)
    if quantile is not None:
        return float(pinball_losses(y, scores, quantile).mean())
    error = np.abs(scores - y)
    return float(error.mean() if metric in _LEARN_ABSOLUTE_ERROR else (error**2).mean())


def _judged(halves: np.ndarray, wholes: np.ndarray, size: int, is_squared: bool) -> LearningCurve | None:
    """`halves` and `wholes` are (folds,) mean losses with half and with all of `size` rows."""
    cuts, count = halves - wholes, len(wholes)
    error = halves.mean()
    if not np.isfinite(cuts).all() or error <= 0:
        return None
    reach = stats.t.ppf((1 + _LEVEL) / 2, count - 1) * cuts.std(ddof=1) / np.sqrt(count)
    shares = [(cuts.mean() + way * reach) / error for way in (0, -1, 1)]
    if is_squared:  # a root's share, in the target's own units
        shares = [1 - np.sqrt(max(1 - share, 0.0)) for share in shares]
    cut, low, high = map(float, shares)
    verdict = "FLAT" if high <= _TRIFLE else "HELPS" if low > 0 and cut >= _TRIFLE else "UNSURE"
    return LearningCurve(size // 2, size, count, cut, low, high, verdict)
