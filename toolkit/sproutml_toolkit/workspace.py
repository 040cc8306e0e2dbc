"""The job's folder: where each file is, and how it is read and written whole.

All paths are relative to the working directory. `work/` never holds a holdout row; `sealed/` is for trusted commands.
"""

import json
import os
import pickle
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from .wire import ToolkitError, finite

TABLE = Path("sealed/table.pkl")
HOLDOUT = Path("sealed/holdout.pkl")
SPLIT_KEYS = Path("sealed/split-keys.pkl")
PROFILE = Path("work/profile.json")
PLAN = Path("work/plan.json")
SPLIT = Path("work/split.json")
TRAIN = Path("work/train.pkl")
FOLDS = Path("work/folds.npy")
TRIALS = Path("work/trials")
OUT = Path("out")


@dataclass
class Table:
    """Rows with a known target.

    X: raw typed feature columns (n rows), before any fitted transform, under the file's own header names (made unique):
       float64 for NUMERIC and BOOLEAN (0/1), datetime64 for DATE, object of str for CATEGORICAL and TEXT; missing is
       NaN, NaT or None.
    y: (n,) class numbers 0..k-1 (int64) in the order of the profile's `classes`, or float64 for regression.
    row_ids: (n,) row numbers in the uploaded file, 0 for the first row below the header.
    groups: (n,) the number of each row's group, where rows are split by group. moments: (n,) the place of each row's time among
       all times, where they are split by time. None otherwise.
    """

    X: pd.DataFrame
    y: np.ndarray
    row_ids: np.ndarray
    groups: np.ndarray | None = None
    moments: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: np.ndarray) -> "Table":
        """The rows at these positions, in this order."""
        groups, moments = (None if part is None else part[rows] for part in (self.groups, self.moments))
        return Table(self.X.iloc[rows].reset_index(drop=True), self.y[rows], self.row_ids[rows], groups, moments)


class Scorer(Protocol):
    """Anything that turns raw typed feature rows into scores."""

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities for classification, (n,) values for regression."""
        ...


@dataclass
class Trial:
    """A finished trial: its result as printed, its out-of-fold scores, and the fold models bagged into one.

    oof: (n, n_classes) probabilities or (n,) values, one row per train row, each predicted by a model that did not
    train on it.
    """

    result: dict[str, Any]
    oof: np.ndarray
    model: Scorer


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on leaving without an error it becomes `path` in one step."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON, what is not finite as null."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(finite(value), allow_nan=False, indent=1) + "\n", encoding="utf-8")


def save_pickle(path: str | Path, value: Any) -> None:
    """Pickle `value` to `path`."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        pickle.dump(value, file, protocol=5)


def save_array(path: str | Path, array: np.ndarray) -> None:
    """Write an array in NumPy's own format."""
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def load_json(path: str | Path) -> Any:
    """Read a JSON file an earlier command wrote."""
    return json.loads(_need(Path(path)).read_text(encoding="utf-8"))


def load_pickle(path: str | Path) -> Any:
    """Read a pickle an earlier command wrote. Pickles run code: only ever those of this job's folder."""
    with _need(Path(path)).open("rb") as file:
        return pickle.load(file)


def load_profile() -> dict[str, Any]:
    """What `profile` found: its result, and under `schema` how each column's cells are read (see columns.ColumnType)."""
    return load_json(PROFILE)


def load_plan() -> dict[str, Any]:
    """What `prepare` decided: its result, with the treatment of each feature under `features`."""
    return load_json(PLAN)


def load_table() -> Table:
    """Every usable row, before the split."""
    return load_pickle(TABLE)


def load_train() -> Table:
    """The rows agents may learn from, in file order."""
    return load_pickle(TRAIN)


def load_holdout() -> Table:
    """The sealed rows, in file order. Trusted commands only."""
    return load_pickle(HOLDOUT)


def load_folds() -> np.ndarray:
    """(n train rows,) the fold number of each row, 0..folds-1."""
    return np.load(_need(FOLDS), allow_pickle=False)


def trial_folder(trial_id: str) -> Path:
    """The folder of a trial. A trial id is letters, digits, `-` and `_`: it can't lead out of the job's folder."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", trial_id):
        raise ToolkitError("REQUEST_INVALID", f"{trial_id!r} is no trial id", "Use letters, digits, - and _ only.")
    return TRIALS / trial_id


def save_trial(trial_id: str, trial: Trial) -> None:
    """Write a trial's files, its result last: a trial with a result is whole."""
    folder = trial_folder(trial_id)
    save_array(folder / "oof.npy", trial.oof)
    save_pickle(folder / "models.pkl", trial.model)
    save_json(folder / "result.json", trial.result)


def model_bytes(trial_id: str) -> int:
    """The size of a finished trial's bagged fold models as a file."""
    return (trial_folder(trial_id) / "models.pkl").stat().st_size


def load_trial(trial_id: str) -> Trial:
    """Read a finished trial or ensemble."""
    return Trial(
        result=load_result(trial_id),
        oof=load_oof(trial_id),
        model=load_scorer(trial_id),
    )


def load_result(trial_id: str) -> dict[str, Any]:
    """A trial's result alone."""
    return load_json(trial_folder(trial_id) / "result.json")


def load_scorer(trial_id: str, known: dict[str, Scorer] | None = None) -> Scorer:
    """A trial's bagged fold models alone, with those of the first layer where it is of the second.

    known: what was loaded so far, by trial id: each is loaded once.
    """
    known = {} if known is None else known
    if trial_id not in known:
        scorer = known[trial_id] = load_pickle(trial_folder(trial_id) / "models.pkl")
        base_ids = getattr(scorer, "base_ids", None)
        if base_ids is not None:
            scorer.bases = [load_scorer(base, known) for base in base_ids]
    return known[trial_id]


def parts_of(trial_ids: Iterable[str]) -> list[str]:
    """The trials whose models are needed to answer: those of the first layer that any of these learns from, then these."""
    trial_ids = list(trial_ids)
    return list(dict.fromkeys([*(base for trial_id in trial_ids for base in bases_of(load_result(trial_id))), *trial_ids]))


def bases_of(result: dict[str, Any]) -> list[str]:
    """The trials of the first layer that a trial of the second learns from, by its result; none where it is of the first."""
    return (result.get("request") or {}).get("stackOn") or []


def load_oof(trial_id: str) -> np.ndarray:
    """A trial's out-of-fold scores alone."""
    return np.load(_need(trial_folder(trial_id) / "oof.npy"), allow_pickle=False)


def _need(path: Path) -> Path:
    if not path.is_file():
        raise ToolkitError(
            "STEP_MISSING",
            f"{path} is not there: an earlier command has not run in this folder",
            "Run profile, split, prepare and train in this order first.",
        )
    return path
