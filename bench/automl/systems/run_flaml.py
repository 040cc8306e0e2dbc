"""FLAML with its own search space and resampling; text columns as categories."""

from pathlib import Path

import joblib
import pandas as pd
from contract import Categories, Predict, serve
from flaml import AutoML

_METRICS = {"auc": "roc_auc", "logloss": "log_loss", "rmse": "rmse"}


def fit(request: dict, table: pd.DataFrame, folder: Path) -> dict:
    features = table.drop(columns=request["target"])
    categories = Categories(features)
    search = AutoML()
    search.fit(
        categories.apply(features),
        table[request["target"]],
        task="regression" if request["task"] == "regression" else "classification",
        metric=_METRICS[request["metric"]],
        time_budget=request["budget_seconds"],
        n_jobs=request["threads"],
        seed=request["seed"],
        verbose=1,
    )
    # The search holds the training rows and its log too; serving needs the winner.
    joblib.dump((categories, search._transformer, search._label_transformer, search.model), folder / "model.joblib")
    return {"best": search.best_estimator, "validation": search.best_loss}


def load(request: dict, folder: Path) -> Predict:
    categories, transformer, labels, model = joblib.load(folder / "model.joblib")

    def predict(test: pd.DataFrame) -> pd.DataFrame:
        features = transformer.transform(categories.apply(test))
        if request["task"] == "regression":
            return pd.DataFrame({"prediction": model.predict(features)})
        return pd.DataFrame(model.predict_proba(features), columns=labels.classes_)

    return predict


if __name__ == "__main__":
    serve(fit, load)
