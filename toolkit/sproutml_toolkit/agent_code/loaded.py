"""Agent-written code at work: loaded, fitted, asked for answers. Only ever in a process that may run it.

What it answers is turned into plain arrays here; whoever reads them elsewhere checks them again.
"""

import random
import sys
import types
from typing import Any

import numpy as np
import pandas as pd

from .source import FEATURES, PIPELINE, column_name

_EPOCH = pd.Timestamp("2000-01-01")
_DAY = np.timedelta64(1, "D")
_LONGEST_VALUE = 200


class AgentCodeError(Exception):
    """The code broke a rule of its form; the message is for its author."""


class Loaded:
    """One module of agent-written code under a name of its own, so that pickles of its classes are found again."""

    def __init__(self, code_id: str, source: str, form: str) -> None:
        self.form = form
        name = f"agent_code_{code_id.replace('-', '_')}"
        self.module = types.ModuleType(name)
        sys.modules[name] = self.module
        exec(compile(source, "<agent code>", "exec"), self.module.__dict__)

    def fit(self, frame: pd.DataFrame, target: pd.Series | None, seed: int) -> Any:
        """What it learns from training rows: nothing, a state, or a fitted model."""
        random.seed(seed)
        np.random.seed(seed)
        if self.form == FEATURES:
            return None
        if self.form == PIPELINE:
            model = self.module.build()
            fitted = model.fit(frame, target)
            return fitted if fitted is not None and hasattr(fitted, "predict") else model
        return self.module.fit(frame, target)

    def answer(self, frame: pd.DataFrame, state: Any, classes: int, made: list[str] | None = None) -> dict[str, Any]:
        """For rows without a target: {values: (n, width) float64, columns: [{name, kind, categories}]}.

        Of a pipeline the columns are the task's classes, or one for a value. Its rows come back in the order they went in. `made`:
        the columns that it made of the training rows and is to make again; None: whatever it makes.
        """
        rows = len(frame)
        if self.form == PIPELINE:
            return {"values": _scores(state, frame, rows, classes), "columns": []}
        given = frame.copy()
        found = self.module.features(given) if self.form == FEATURES else self.module.transform(given, state)
        return _as_arrays(found, frame, made)


def _scores(model: Any, frame: pd.DataFrame, rows: int, classes: int) -> np.ndarray:
    if classes == 0:
        values = np.asarray(model.predict(frame), dtype=float)
        if values.shape not in ((rows,), (rows, 1)):
            raise AgentCodeError(f"predict answered an array of shape {values.shape} for {rows} rows")
        return values.reshape(rows, 1)
    if not hasattr(model, "predict_proba"):
        raise AgentCodeError("classification needs predict_proba(frame), and the model has none")
    values = np.asarray(model.predict_proba(frame), dtype=float)
    if values.ndim != 2 or len(values) != rows:
        raise AgentCodeError(f"predict_proba answered an array of shape {values.shape} for {rows} rows")
    known = np.asarray(getattr(model, "classes_", np.arange(values.shape[1])))
    if values.shape[1] == classes and len(known) != classes:
        return values
    if len(known) != values.shape[1] or not np.issubdtype(known.dtype, np.integer) or known.max(initial=0) >= classes:
        raise AgentCodeError(f"predict_proba needs one column for each of the {classes} class numbers 0 to {classes - 1}")
    full = np.zeros((rows, classes))
    full[:, known] = values
    return full


def _as_arrays(made: Any, frame: pd.DataFrame, wanted: list[str] | None) -> dict[str, Any]:
    if isinstance(made, pd.Series):
        made = made.to_frame(str(made.name or "feature"))
    if not isinstance(made, pd.DataFrame):
        raise AgentCodeError(f"a frame was to be returned, and not a {type(made).__name__}")
    if len(made) != len(frame):
        raise AgentCodeError(f"{len(made)} rows were returned for {len(frame)}: keep every row")
    if not made.index.equals(frame.index):
        if not made.index.is_unique or not made.index.isin(frame.index).all():
            raise AgentCodeError("the rows' index was changed: keep it as it is")
        made = made.reindex(frame.index)
    columns, values = [], []
    for place, name in enumerate(made.columns):
        column = made.iloc[:, place]
        called = column_name(name, place)
        # What merely came along: `frame["ratio"] = …; return frame` is as good as a frame of its own. Of a few rows a changed
        # column may look the same, so afterwards it goes by the names.
        if (name in frame.columns and column.equals(frame[name])) if wanted is None else called not in wanted:
            continue
        numbers, categories = _numbers(column)
        columns.append({"name": called, "kind": "number" if categories is None else "category", "categories": categories})
        values.append(numbers)
    if wanted is not None and [column["name"] for column in columns] != wanted:
        raise AgentCodeError("other columns are made of these rows than of the training rows: name them in the code")
    return {"values": np.column_stack(values) if values else np.empty((len(frame), 0)), "columns": columns}


def _numbers(column: pd.Series) -> tuple[np.ndarray, list[str] | None]:
    """(n,) float64, and the categories that they number, None for plain numbers. What is not finite is missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = (pd.to_datetime(column, utc=True).dt.tz_localize(None) - _EPOCH) / _DAY
    elif pd.api.types.is_timedelta64_dtype(column):
        column = column / _DAY
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        numbers = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
        return np.where(np.isfinite(numbers), numbers, np.nan), None
    codes, labels = pd.factorize(column.astype(object))
    return np.where(codes < 0, np.nan, codes), [str(label)[:_LONGEST_VALUE] for label in labels]
