"""CATBOOST: gradient-boosted symmetric trees with ordered target statistics for categories.

Parameters: `rounds` (most rounds; None: 10,000, or 1,000 below 1,000 rows, where a nearly separable target would let the loss
creep down for minutes and no ranking changes), `early_stopping_rounds` (None: by rows, see boosting.patience), `learning_rate`, and
CatBoost's own depth, l2_leaf_reg, random_strength, bagging_temperature, rsm, grow_policy, min_data_in_leaf, max_leaves,
border_count, one_hot_max_size, max_ctr_complexity, boosting_type (None leaves CatBoost's own choice).
"""

from typing import Any

import catboost
import numpy as np
import pandas as pd

from ..features import FeatureEncoder, Matrix
from .boosting import EarlyStopping, patience
from .fold import Fold

DEFAULTS: dict[str, Any] = {
    "rounds": None,
    "early_stopping_rounds": None,
    "learning_rate": 0.05,
    "depth": 6,
    "l2_leaf_reg": 3.0,
    "random_strength": 1.0,
    "bagging_temperature": None,
    "rsm": None,
    "grow_policy": None,
    "min_data_in_leaf": None,
    "max_leaves": None,
    "border_count": 254,
    "one_hot_max_size": None,
    "max_ctr_complexity": None,
    "boosting_type": None,
}
STOPS_EARLY = True

_LOSS = {"BINARY": "Logloss", "MULTICLASS": "MultiClass"}
_REGRESSION_LOSS = {"MAE": "MAE", "MEDIAN_AE": "MAE", "MAPE": "MAPE"}


class CatboostEstimator:
    """A CatBoost model cut at its best round."""

    def __init__(self, model: catboost.CatBoost, classification: bool, threads: int) -> None:
        self.model = model
        self.classification = classification
        self.threads = threads

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        kind = "Probability" if self.classification else "RawFormulaVal"
        return self.model.predict(_frame(matrix), prediction_type=kind, thread_count=self.threads)


class _Watcher:
    """Tells CatBoost after each round whether to go on."""

    def __init__(self, fold: Fold, stopping: EarlyStopping, loss: str) -> None:
        self.fold = fold
        self.stopping = stopping
        self.loss = loss

    def after_iteration(self, info: Any) -> bool:
        loss = info.metrics["validation"][self.loss][-1]
        return not (self.stopping.is_over(info.iteration, -loss) or self.fold.is_late())


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, CatboostEstimator, dict[str, Any]]:
    """Boost until the validation part stops improving, the rounds end or the deadline passes."""
    encoder, train, valid = fold.encode("native")
    effective = {key: value for key, value in parameters.items() if value is not None}
    rounds = int(effective.pop("rounds", 1_000 if len(fold.y_train) < 1_000 else 10_000))
    waiting = int(effective.pop("early_stopping_rounds", patience(len(fold.y_train))))
    loss = _LOSS.get(fold.task) or _REGRESSION_LOSS.get(fold.metric, "RMSE")
    model = catboost.CatBoost(
        effective
        | {
            "iterations": rounds,
            "loss_function": loss,
            "eval_metric": loss,
            "random_seed": fold.seed,
            "thread_count": fold.threads,
            "allow_writing_files": False,
            "logging_level": "Silent",
            "use_best_model": True,
        }
    )
    stopping = EarlyStopping(waiting)
    model.fit(
        catboost.Pool(_frame(train), fold.y_train, cat_features=train.categorical),
        eval_set=catboost.Pool(_frame(valid), fold.y_valid, cat_features=valid.categorical),
        callbacks=[_Watcher(fold, stopping, loss)],
    )
    estimator = CatboostEstimator(model, fold.is_classification, fold.threads)
    return encoder, estimator, effective | {"rounds": model.tree_count_, "early_stopping_rounds": waiting}


def _frame(matrix: Matrix) -> pd.DataFrame:
    """CatBoost takes categories as integers, so they need columns of their own type; missing is category -1."""
    frame = pd.DataFrame(matrix.values, copy=False)
    for position in matrix.categorical:
        codes = matrix.values[:, position]
        frame[position] = np.where(np.isnan(codes), -1, codes).astype(np.int32)
    return frame
