"""The half of a peer's program that is the same for all: reads what the harness gives, writes what it asks (README.md).

Runs in the peer's own environment and imports nothing of the harness, only pandas.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd

# What stands for "missing" in public tables besides what pandas knows: peers get columns of numbers where ours finds them.
_MISSING = ["?", " "]

Fit = Callable[[dict, pd.DataFrame, Path], dict]
Predict = Callable[[pd.DataFrame], pd.DataFrame]
Load = Callable[[dict, Path], Predict]


def serve(fit: Fit, load: Load) -> None:
    """`PROGRAM fit|predict FOLDER`.

    `fit` gets (request, table with target, folder for the model) and returns notes; it is timed from reading the table to the
    saved model, without imports. `load` gets (request, folder of the model) and returns a function from the test rows to
    their predictions. That one is called twice: once for the answers, once, warm, for the time.
    """
    verb, folder = sys.argv[1], Path(sys.argv[2])
    request = json.loads((folder / "request.json").read_text())
    if verb == "fit":
        started = time.perf_counter()
        notes = fit(request, _read(folder / "train.csv", request), folder / "model")
        answer = {"train_seconds": time.perf_counter() - started, "notes": notes}
    else:
        test = _read(folder / "test.csv", request)
        predict = load(request, folder / "model")
        predict(test).to_csv(folder / "predictions.csv", index=False)
        started = time.perf_counter()
        predict(test)
        answer = {"micros_per_row": (time.perf_counter() - started) / len(test) * 1e6}
    (folder / f"{verb}.json").write_text(json.dumps(answer))


def _read(path: Path, request: dict) -> pd.DataFrame:
    """The table as pandas types it; labels stay the text they are, and text stays `object`, which every peer understands."""
    target = request["target"]
    is_label = request["task"] != "regression"
    table = pd.read_csv(path, na_values={name: _MISSING for name in _columns(path) if name != target}, low_memory=False)
    if is_label and target in table:
        table[target] = pd.read_csv(path, usecols=[target], dtype=str, keep_default_na=False, na_filter=False)[target]
    text = [name for name in table if pd.api.types.is_string_dtype(table[name]) or table[name].dtype == bool]
    return table.astype({name: object for name in text})


def _columns(path: Path) -> list[str]:
    return list(pd.read_csv(path, nrows=0).columns)


class Categories:
    """The levels of each text column as the training rows have them; what is not among them later is missing."""

    def __init__(self, features: pd.DataFrame) -> None:
        self._levels = {
            name: sorted(features[name].dropna().astype(str).unique()) for name in features if features[name].dtype == object
        }

    def apply(self, features: pd.DataFrame) -> pd.DataFrame:
        as_category = {
            name: pd.Categorical(features[name].astype(str).where(features[name].notna()), categories=levels)
            for name, levels in self._levels.items()
        }
        return features.assign(**as_category)
