"""scikit-learn's random forest on ordinal codes: 500 trees, fewer where the budget ends before."""

import time
from pathlib import Path

import joblib
import pandas as pd
from contract import Predict, serve
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OrdinalEncoder

_MOST_TREES, _STEP = 500, 50


def fit(request: dict, table: pd.DataFrame, folder: Path) -> dict:
    started = time.monotonic()
    features, y = table.drop(columns=request["target"]), table[request["target"]]
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    encode = make_column_transformer(
        (codes, make_column_selector(dtype_include=object)),
        (SimpleImputer(strategy="median", keep_empty_features=True), make_column_selector(dtype_exclude=object)),
    )
    encoded = encode.fit_transform(features)
    kind = RandomForestRegressor if request["task"] == "regression" else RandomForestClassifier
    forest = kind(warm_start=True, n_jobs=request["threads"], random_state=request["seed"])
    for trees in range(_STEP, _MOST_TREES + 1, _STEP):
        forest.set_params(n_estimators=trees).fit(encoded, y)
        spent = time.monotonic() - started
        if spent + spent / trees * _STEP > request["budget_seconds"]:
            break
    joblib.dump((encode, forest), folder / "model.joblib")
    return {"trees": trees}


def load(request: dict, folder: Path) -> Predict:
    encode, forest = joblib.load(folder / "model.joblib")

    def predict(test: pd.DataFrame) -> pd.DataFrame:
        encoded = encode.transform(test)
        if request["task"] == "regression":
            return pd.DataFrame({"prediction": forest.predict(encoded)})
        return pd.DataFrame(forest.predict_proba(encoded), columns=forest.classes_)

    return predict


if __name__ == "__main__":
    serve(fit, load)
