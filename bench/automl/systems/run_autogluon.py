"""AutoGluon, as its documentation has it: a preset and a time limit. What serving does not need is deleted afterwards."""

import os
from pathlib import Path

import pandas as pd
from contract import Predict, serve

# Its workers would report home.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
from autogluon.tabular import TabularPredictor  # noqa: E402

_METRICS = {"auc": "roc_auc", "logloss": "log_loss", "rmse": "root_mean_squared_error"}


def fit(request: dict, table: pd.DataFrame, folder: Path) -> dict:
    predictor = TabularPredictor(
        label=request["target"],
        problem_type=request["task"],
        eval_metric=_METRICS[request["metric"]],
        path=str(folder / "predictor"),
        verbosity=2,
    ).fit(table, time_limit=request["budget_seconds"], num_cpus=request["threads"], **request["options"])
    notes = {
        "models": len(predictor.model_names()),
        "best": predictor.model_best,
        "validation": float(predictor.leaderboard(silent=True)["score_val"].max()),
    }
    predictor.delete_models(models_to_keep="best", dry_run=False)
    predictor.save_space()
    return notes


def load(request: dict, folder: Path) -> Predict:
    predictor = TabularPredictor.load(str(folder / "predictor"))
    predictor.persist()
    if request["task"] == "regression":
        return lambda test: pd.DataFrame({"prediction": predictor.predict(test)})
    return predictor.predict_proba


if __name__ == "__main__":
    serve(fit, load)
