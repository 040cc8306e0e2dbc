"""LIGHTGBM: gradient-boosted trees with native categories.

Parameters: `generate` (True: columns made from columns too, see generated.py), `mean` (True: the mean of values is learnt whatever
the metric, and adjusted to it afterwards), `rounds` (most rounds), `early_stopping_rounds` (None: by rows, see
boosting.patience), `max_bin` (None: 255, or 63 for over 500 columns, whose bins cost more than rows), and any of LightGBM's own
by its main name: learning_rate, num_leaves, max_depth, min_data_in_leaf, feature_fraction, bagging_fraction, bagging_freq,
lambda_l1, lambda_l2, min_gain_to_split, extra_trees, path_smooth, cat_smooth, cat_l2 …
"""

import time
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np

from ..features import Matrix
from ..metrics import quantile_of
from .boosting import EarlyStopping, patience, raised_rate
from .fold import Encoder, Fold

DEFAULTS: dict[str, Any] = {
    "generate": False,
    "mean": False,
    "rounds": 10_000,
    "early_stopping_rounds": None,
    "learning_rate": 0.05,
    "num_leaves": 31,
    "max_depth": -1,
    "min_data_in_leaf": None,
    "feature_fraction": 0.9,
    "bagging_fraction": 1.0,
    "bagging_freq": 0,
    "lambda_l1": 0.0,
    "lambda_l2": 0.0,
    "min_gain_to_split": 0.0,
    "extra_trees": False,
    "path_smooth": 0.0,
    "min_data_per_group": None,
    "max_cat_to_onehot": 4,
    "max_cat_threshold": 32,
    "cat_smooth": 10.0,
    "cat_l2": 10.0,
    "max_bin": None,
}
STOPS_EARLY = True

_OBJECTIVE = {"BINARY": "binary", "MULTICLASS": "multiclass"}
_REGRESSION_OBJECTIVE = {"MAE": "regression_l1", "MEDIAN_AE": "regression_l1", "MAPE": "mape"}
# What early stopping watches. Ranking and label metrics jump about from round to round: choosing the round by them
# flatters the fold score (titanic: 0.881 by AUC, 0.866 by loss) and leaves the folds' probabilities on different scales.
_WATCH = {"BINARY": "binary_logloss", "MULTICLASS": "multi_logloss", "REGRESSION": "rmse"}
_REGRESSION_WATCH = {"MAE": "l1", "MEDIAN_AE": "l1", "MAPE": "mape"}
_MANY_COLUMNS = 500
# Rounds between looks at the clock, which all folds share: what one is cut to, another can keep.
_DEADLINE_EVERY = 10
# Rounds times learning rate after which it has usually learnt what there is (see boosting.Pace).
_JOURNEY = 15.0
# Rounds before the pace is taken, the first of which builds what the others reuse.
_FIRST_ROUND, _PACE_ROUNDS = 2, 10


class LightgbmEstimator:
    """A booster's rounds up to its best. `booster` has the same in memory, for reading long texts takes time."""

    def __init__(self, text: str, binary: bool, threads: int, booster: lightgbm.Booster | None = None) -> None:
        self.text = text
        self.binary = binary
        self.threads = threads
        self._booster = booster

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        if self._booster is None:
            self._booster = lightgbm.Booster(model_str=self.text)
        scores = self._booster.predict(matrix.values, num_threads=self.threads)
        return np.column_stack([1.0 - scores, scores]) if self.binary else scores

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_booster": None}


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[Encoder, LightgbmEstimator, dict[str, Any]]:
    """Boost until the validation part stops improving, the rounds end or the deadline passes."""
    effective = dict(parameters)
    generate, mean = bool(effective.pop("generate")), bool(effective.pop("mean"))
    fold = replace(fold, metric="RMSE") if mean and not fold.is_classification else fold
    encoder, train, valid = fold.encode("native", generate)
    rows = len(fold.y_train)
    rounds = int(effective.pop("rounds"))
    waiting = effective.pop("early_stopping_rounds")
    waiting = patience(rows) if waiting is None else int(waiting)
    if effective["min_data_in_leaf"] is None:
        effective["min_data_in_leaf"] = int(min(20, max(2, rows // 25)))
    if effective["min_data_per_group"] is None:
        effective["min_data_per_group"] = int(min(100, max(5, rows // 50)))
    if effective["max_bin"] is None:
        effective["max_bin"] = 255 if train.values.shape[1] <= _MANY_COLUMNS else 63
    options = effective | {
        "objective": _OBJECTIVE.get(fold.task) or _REGRESSION_OBJECTIVE.get(fold.metric, "regression"),
        "metric": _REGRESSION_WATCH.get(fold.metric, _WATCH[fold.task]),
        "num_threads": fold.threads,
        "seed": fold.seed,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "feature_pre_filter": False,
    }
    quantile = quantile_of(fold.metric)
    if quantile is not None:
        options |= {"objective": "quantile", "metric": "quantile", "alpha": quantile}
    if fold.task == "MULTICLASS":
        options["num_class"] = fold.n_classes
    names = [f"c{i}" for i in range(train.values.shape[1])]
    data = lightgbm.Dataset(
        train.values, fold.y_train, feature_name=names, categorical_feature=train.categorical, params=options
    )
    rate = float(effective["learning_rate"])
    if fold.exact:
        booster, best = lightgbm.train(options, data, rounds), rounds
    else:
        watched = data.create_valid(valid.values, fold.y_valid)
        stopping = EarlyStopping(waiting)
        watcher = _Watcher(fold, stopping, rate)
        booster = lightgbm.train(options, data, rounds, valid_sets=[watched], callbacks=[watcher])
        best, rate = stopping.best_round, watcher.rate
    booster.best_iteration = best
    text = booster.model_to_string(num_iteration=best)
    estimator = LightgbmEstimator(text, fold.task == "BINARY", fold.threads, booster.free_dataset())
    return encoder, estimator, effective | {
        "generate": generate, "mean": mean, "learning_rate": rate, "rounds": best, "early_stopping_rounds": waiting,
    }  # fmt: skip


class _Watcher:
    """A callback that stops when waiting longer won't pay or at the fold's deadline, and keeps the folds' agreed pace."""

    order = 30

    def __init__(self, fold: Fold, stopping: EarlyStopping, rate: float) -> None:
        self.fold = fold
        self.stopping = stopping
        self.rate = rate
        self.started = 0.0

    def __call__(self, env: Any) -> None:
        _, _, value, larger_is_better = env.evaluation_result_list[0][:4]
        done = env.iteration + 1
        if done == _FIRST_ROUND:
            self.started = time.monotonic()
        elif done == _PACE_ROUNDS and self.fold.deadline is not None:
            self._keep_pace(env.model)
        is_over = self.stopping.is_over(done, value if larger_is_better else -value)
        if not is_over and done % _DEADLINE_EVERY == 0 and self.fold.is_late():
            self.fold.pace.cut(done)
            is_over = True
        if is_over or done == self.fold.pace.most_rounds:
            raise lightgbm.callback.EarlyStopException(self.stopping.best_round - 1, env.evaluation_result_list)

    def _keep_pace(self, booster: lightgbm.Booster) -> None:
        seconds = (time.monotonic() - self.started) / (_PACE_ROUNDS - _FIRST_ROUND)
        wanted, self.rate = self.rate, self.fold.pace.agree(seconds, self.fold.seconds_left, self.rate, _JOURNEY)
        if self.rate > wanted:
            booster.reset_parameter({"learning_rate": self.rate})
            self.fold.notes.append(raised_rate(wanted, self.rate))
