"""The folder of tables: `catalogue.json` says what each CSV is for. The format is in README.md."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from .errors import BenchError

TASKS = ("binary", "multiclass", "regression")
METRICS_OF_TASK = {"binary": ("auc", "logloss"), "multiclass": ("logloss",), "regression": ("rmse",)}


@dataclass(frozen=True)
class Dataset:
    """One table of the catalogue. Two of them are the same experiment only when `sha256` is."""

    name: str
    path: Path
    target: str
    task: str
    metric: str
    positive_class: str | None
    leak_columns: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def cells(self) -> pd.DataFrame:
        """(rows, columns) every cell as the text it is in the file, without the columns that leak; row id is position."""
        cells = pd.read_csv(self.path, dtype=str, keep_default_na=False, na_filter=False)
        missing = [name for name in (self.target, *self.leak_columns) if name not in cells.columns]
        if missing:
            raise BenchError("CATALOGUE_INVALID", f"{self.path.name} has no column {', '.join(missing)}.")
        if (cells[self.target] == "").any():
            raise BenchError("TARGET_EMPTY", f"{self.path.name} has rows without {self.target}.", "Leave them out of the file.")
        return cells.drop(columns=list(self.leak_columns))

    @cached_property
    def classes(self) -> list[str]:
        """The labels, sorted as text; empty for regression."""
        return [] if self.task == "regression" else sorted(set(self.cells[self.target]))


def load_catalogue(folder: Path, names: list[str] | None = None) -> list[Dataset]:
    """The datasets of a folder, or those named, in the order named.

    Raises CATALOGUE_MISSING, CATALOGUE_INVALID or DATASET_UNKNOWN.
    """
    path = folder / "catalogue.json"
    try:
        entries = json.loads(path.read_text())["datasets"]
        known = {entry["name"]: _dataset(folder, entry) for entry in entries}
    except FileNotFoundError as error:
        raise BenchError("CATALOGUE_MISSING", f"there is no {path}.", "Its format is in bench/automl/README.md.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError("CATALOGUE_INVALID", f"{path}: {type(error).__name__} {error}.") from error
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise BenchError("DATASET_UNKNOWN", f"no {', '.join(unknown)} in {path}.", f"There are {', '.join(known)}.")
    return [known[name] for name in names or known]


def _dataset(folder: Path, entry: dict) -> Dataset:
    task, metric = entry["task"], entry["metric"]
    if metric not in METRICS_OF_TASK[task]:
        raise ValueError(f"{entry['name']}: {metric} is no metric for {task}")
    return Dataset(
        name=entry["name"],
        path=folder / entry["file"],
        target=entry["target"],
        task=task,
        metric=metric,
        positive_class=entry.get("positive_class"),
        leak_columns=tuple(entry.get("leak_columns", [])),
    )
