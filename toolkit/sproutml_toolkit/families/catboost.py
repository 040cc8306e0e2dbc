"""CATBOOST: gradient-boosted symmetric trees with ordered target statistics for categories.

Parameters: `generate` (True: columns made from columns too, see generated.py), `mean` (True: the mean of values is learnt whatever
the metric, and adjusted to it afterwards), `rounds` (most rounds), `learning_rate` (None:
0.1, or 0.15 for more than two classes), `early_stopping_rounds` (None: 5 / learning_rate), `depth` (None: 4 below 2,500 rows,
else 6), `leaf_estimation_iterations` (None: 3 for more than two classes, else CatBoost's own), `one_hot_max_size` (50:
categories up to this many values are one-hot, which is three to twenty times quicker than statistics of all their combinations
and no worse), `max_ctr_complexity` (None: 2 below 10,000 rows, else 1), and CatBoost's own l2_leaf_reg, random_strength,
bagging_temperature, rsm, grow_policy, min_data_in_leaf, max_leaves, border_count, boosting_type (None leaves CatBoost's own
choice).
"""

import time
from dataclasses import replace
from typing import Any

import catboost
import numpy as np
import pandas as pd

from ..features import Matrix
from ..metrics import quantile_of
from . import baseline
from .boosting import raised_rate
from .fold import Encoder, Estimator, Fold

DEFAULTS: dict[str, Any] = {
    "generate": False,
    "mean": False,
    "rounds": 2_000,
    "early_stopping_rounds": None,
    "learning_rate": None,
    "depth": None,
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "bagging_temperature": None,
    "rsm": None,
    "grow_policy": None,
    "min_data_in_leaf": None,
    "max_leaves": None,
    "border_count": 128,
    "one_hot_max_size": 50,
    "max_ctr_complexity": None,
    "leaf_estimation_iterations": None,
    "boosting_type": None,
}
STOPS_EARLY = True

_LOSS = {"BINARY": "Logloss", "MULTICLASS": "MultiClass"}
_REGRESSION_LOSS = {"MAE": "MAE", "MEDIAN_AE": "MAE", "MAPE": "MAPE"}
_SHALLOW_BELOW_ROWS, _COMBINED_BELOW_ROWS = 2_500, 10_000
# How far it waits for a gain, and rounds after which it has usually learnt what there is; both times the learning rate.
_WAIT, _JOURNEY = 5.0, 30.0
_FIRST_ROUND, _PACE_ROUNDS = 2, 12
# CatBoost copies the whole history of losses for each call-back, so a watched fit takes time by the square of its rounds:
# beyond this many affordable rounds it goes unwatched.
_MOST_WATCHED_ROUNDS = 1_000


class CatboostEstimator:
    """A CatBoost model cut at its best round."""

    def __init__(self, model: catboost.CatBoost, classification: bool, threads: int) -> None:
        self.model = model
        self.classification = classification
        self.threads = threads

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        kind = "Probability" if self.classification else "RawFormulaVal"
        return self.model.predict(_frame(matrix), prediction_type=kind, thread_count=self.threads)


class _Clock:
    """Tells CatBoost after each round whether there is time for another, and when each round ended."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.ends: list[float] = []
        self.is_cut = False

    def after_iteration(self, info: Any) -> bool:
        self.ends.append(time.monotonic())
        self.is_cut = self.fold.is_late()
        return not self.is_cut


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[Encoder | None, Estimator, dict[str, Any]]:
    """Boost until the validation part stops improving, the rounds end or the deadline passes."""
    generate, mean = bool(parameters["generate"]), bool(parameters["mean"])
    fold = replace(fold, metric="RMSE") if mean and not fold.is_classification else fold
    encoder, train, valid = fold.encode("native", generate)
    if not _varies(train):
        # CatBoost refuses such a table; what is left of it is the target alone.
        return baseline.fit(fold, {})
    effective = {key: value for key, value in parameters.items() if value is not None and key not in ("generate", "mean")}
    multiclass, rows = fold.task == "MULTICLASS", len(fold.y_train)
    effective = {
        "depth": 4 if rows < _SHALLOW_BELOW_ROWS else 6,
        "max_ctr_complexity": 2 if rows < _COMBINED_BELOW_ROWS else 1,
        "learning_rate": 0.15 if multiclass else 0.1,
        **({"leaf_estimation_iterations": 3} if multiclass else {}),
    } | effective
    rounds = int(effective.pop("rounds"))
    wanted = rate = float(effective.pop("learning_rate"))
    waiting = effective.pop("early_stopping_rounds", None)
    loss = _LOSS.get(fold.task) or _REGRESSION_LOSS.get(fold.metric, "RMSE")
    quantile = quantile_of(fold.metric)
    if quantile is not None:
        loss = f"Quantile:alpha={quantile}"
    pools = [
        catboost.Pool(_frame(part), y, cat_features=part.categorical)
        for part, y in ((train, fold.y_train), (valid, fold.y_valid))
        if len(y) > 0
    ]
    options = effective | {
        "loss_function": loss,
        "eval_metric": loss,
        "random_seed": fold.seed,
        "thread_count": fold.threads,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }
    pace, clock = fold.pace, None
    if fold.deadline is not None:
        _take_pace(fold, pools, options, rate)
        rate = pace.rate or rate
        rounds = min(rounds, pace.most_rounds or rounds)
        if (pace.affordable or 0) < _MOST_WATCHED_ROUNDS:
            clock = _Clock(fold)
        if rate > wanted:
            fold.notes.append(raised_rate(wanted, rate))
    waiting = int(waiting or round(_WAIT / rate))
    stopping = {} if fold.exact else {"od_type": "Iter", "od_wait": waiting, "use_best_model": True}
    model = catboost.CatBoost(options | {"iterations": rounds, "learning_rate": rate} | stopping)
    model.fit(pools[0], eval_set=None if fold.exact else pools[1], callbacks=[clock] if clock else None)
    if clock and clock.is_cut:
        pace.cut(len(clock.ends))
    estimator = CatboostEstimator(model, fold.is_classification, fold.threads)
    return encoder, estimator, effective | {
        "generate": generate, "mean": mean, "learning_rate": rate, "rounds": model.tree_count_, "early_stopping_rounds": waiting,
    }  # fmt: skip


def _take_pace(fold: Fold, pools: list[catboost.Pool], options: dict[str, Any], rate: float) -> None:
    """Measure what a round costs on a dozen of them, unless another fold has."""
    if fold.pace.rate is not None:
        return
    clock = _Clock(fold)
    trial = catboost.CatBoost(options | {"iterations": _PACE_ROUNDS, "learning_rate": rate})
    trial.fit(pools[0], eval_set=pools[1], callbacks=[clock])
    # A deadline that passes meanwhile leaves fewer rounds to measure.
    first = min(_FIRST_ROUND, len(clock.ends)) - 1
    seconds = (clock.ends[-1] - clock.ends[first]) / max(len(clock.ends) - 1 - first, 1)
    fold.pace.agree(seconds, fold.seconds_left, rate, _JOURNEY)


def _varies(matrix: Matrix) -> bool:
    """Whether any column holds two values."""
    values = matrix.values
    return bool(((values != values[:1]) & ~(np.isnan(values) & np.isnan(values[:1]))).any())


def _frame(matrix: Matrix) -> pd.DataFrame:
    """CatBoost takes categories as integers, so they need columns of their own type; missing is category -1."""
    frame = pd.DataFrame(matrix.values, copy=False)
    for position in matrix.categorical:
        codes = matrix.values[:, position]
        frame[position] = np.where(np.isnan(codes), -1, codes).astype(np.int32)
    return frame
