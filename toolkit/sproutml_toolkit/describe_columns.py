"""`describe_columns`: what each column of the training rows holds, in numbers: what a language model is told instead of cells."""

from typing import Any

import numpy as np
import pandas as pd

from . import workspace
from .agent_code.layout import column_ids

_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
_MOST_VALUES = 12


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `describe_columns` request: {values: boolean}. Values of categories are told only where `values` is true."""
    train, profile = workspace.load_train(), workspace.load_profile()
    types = {entry["name"]: entry["type"] for entry in profile["schema"]}
    names = [str(name) for name in train.X.columns]
    columns = [
        {"id": column, "name": name, "type": types[name]} | _facts(train.X[name], types[name], bool(request.get("values")))
        for column, name in zip(column_ids(names), names, strict=True)
    ]
    return {"rows": len(train), "columns": columns, "target": _target(train.y, profile, bool(request.get("values")))}


def _facts(values: pd.Series, kind: str, tell: bool) -> dict[str, Any]:
    known = values.dropna()
    facts: dict[str, Any] = {"missing": int(values.isna().sum()), "distinct": int(known.nunique())}
    if known.empty:
        return facts
    if kind in ("NUMERIC", "BOOLEAN"):
        numbers = known.to_numpy(dtype=float)
        facts["quantiles"] = _quantiles(numbers)
        facts["mean"], facts["std"] = float(numbers.mean()), float(numbers.std())
        facts["whole"] = bool((numbers == np.round(numbers)).all())
    elif kind == "DATE":
        facts["first"], facts["last"] = f"{known.min():%Y-%m-%d}", f"{known.max():%Y-%m-%d}"
    else:
        counts = known.value_counts()
        facts["topShares"] = [round(float(count) / len(values), 4) for count in counts.iloc[:_MOST_VALUES]]
        lengths = known.astype(str).str.len()
        facts["length"] = {"least": int(lengths.min()), "median": float(lengths.median()), "most": int(lengths.max())}
        if tell and kind == "CATEGORICAL":
            facts["topValues"] = [str(value) for value in counts.index[:_MOST_VALUES]]
    return facts


def _quantiles(numbers: np.ndarray) -> list[dict[str, float]]:
    found = np.quantile(numbers, _QUANTILES)
    return [{"at": at, "value": float(f"{value:.6g}")} for at, value in zip(_QUANTILES, found, strict=True)]


def _target(y: np.ndarray, profile: dict[str, Any], tell: bool) -> dict[str, Any]:
    if profile["classes"] is None:
        return {"quantiles": _quantiles(y), "mean": float(y.mean()), "std": float(y.std())}
    shares = np.bincount(y, minlength=len(profile["classes"])) / len(y)
    labels = {"labels": [str(entry["label"]) for entry in profile["classes"]]} if tell else {}
    return {"shares": [round(float(share), 4) for share in shares]} | labels
