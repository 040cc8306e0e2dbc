"""One LightGBM with its default parameters, native categories and early stopping on 15% of the rows."""

import time
from pathlib import Path

import joblib
import lightgbm as lgb
import pandas as pd
from contract import Categories, Predict, serve
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}
_METRICS = {"auc": "auc", "rmse": "rmse"}
_MOST_ROUNDS, _PATIENCE = 10_000, 100


def fit(request: dict, table: pd.DataFrame, folder: Path) -> dict:
    end = time.monotonic() + request["budget_seconds"]
    features, y, labels = table.drop(columns=request["target"]), table[request["target"]], None
    parameters = {
        "objective": _OBJECTIVES[request["task"]],
        "metric": _METRICS.get(request["metric"], "multi_logloss" if request["task"] == "multiclass" else "binary_logloss"),
        "num_threads": request["threads"],
        "seed": request["seed"],
        "learning_rate": 0.05,
        "verbose": -1,
    }
    if request["task"] != "regression":
        labels = LabelEncoder().fit(y)
        y = pd.Series(labels.transform(y), index=y.index)
    if request["task"] == "multiclass":
        parameters["num_class"] = len(labels.classes_)
    categories = Categories(features)
    features = categories.apply(features)
    # A class of one row can't be on both sides; such a table is split without regard to classes.
    stratify = y if labels is not None and y.value_counts().min() > 1 else None
    X, X_stop, y, y_stop = train_test_split(features, y, test_size=0.15, random_state=request["seed"], stratify=stratify)
    data = lgb.Dataset(X, y)

    def until_the_end(environment: lgb.callback.CallbackEnv) -> None:
        if time.monotonic() > end:
            raise lgb.callback.EarlyStopException(environment.iteration, environment.evaluation_result_list)

    booster = lgb.train(
        parameters,
        data,
        num_boost_round=_MOST_ROUNDS,
        valid_sets=[data.create_valid(X_stop, y_stop)],
        callbacks=[lgb.early_stopping(_PATIENCE, verbose=False), until_the_end],
    )
    joblib.dump((categories, labels, booster), folder / "model.joblib")
    return {"rounds": booster.best_iteration or booster.current_iteration()}


def load(request: dict, folder: Path) -> Predict:
    categories, labels, booster = joblib.load(folder / "model.joblib")

    def predict(test: pd.DataFrame) -> pd.DataFrame:
        scores = booster.predict(categories.apply(test))
        if labels is None:
            return pd.DataFrame({"prediction": scores})
        if scores.ndim == 1:
            return pd.DataFrame({labels.classes_[0]: 1 - scores, labels.classes_[1]: scores})
        return pd.DataFrame(scores, columns=labels.classes_)

    return predict


if __name__ == "__main__":
    serve(fit, load)
