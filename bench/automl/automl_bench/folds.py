"""The folds: made once from the table and a fixed seed, stored as row ids, the same for every system and budget."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from .catalogue import Dataset
from .errors import BenchError

_SEED = 0


def folds_of(dataset: Dataset, count: int, folder: Path) -> list[np.ndarray]:
    """`count` arrays of test row ids that together are every row once; from `folder` where they were made before.

    Raises FOLDS_OF_ANOTHER_TABLE when the stored ones were made from other bytes.
    """
    path = folder / f"{dataset.name}-{count}.json"
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["sha256"] != dataset.sha256:
            hint = "Use another --out for another table."
            raise BenchError("FOLDS_OF_ANOTHER_TABLE", f"{path} was made from another {dataset.path.name}.", hint)
        return [np.asarray(rows) for rows in stored["test_rows"]]
    folds = _make(dataset, count)
    folder.mkdir(parents=True, exist_ok=True)
    plan = {
        "dataset": dataset.name,
        "sha256": dataset.sha256,
        "seed": _SEED,
        "test_rows": [rows.tolist() for rows in folds],
    }
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(plan))
    os.replace(temporary, path)
    return folds


def _make(dataset: Dataset, count: int) -> list[np.ndarray]:
    target = dataset.cells[dataset.target]
    if not 2 <= count <= len(target):
        raise BenchError("FOLDS_INVALID", f"{count} folds of {len(target)} rows are not possible.")
    kind = KFold if dataset.task == "regression" else StratifiedKFold
    with warnings.catch_warnings():
        # A class with fewer rows than folds is spread as far as it goes: such tables are part of the measurement.
        warnings.simplefilter("ignore", UserWarning)
        splits = list(kind(count, shuffle=True, random_state=_SEED).split(np.zeros(len(target)), target))
    return [np.sort(test) for _, test in splits]
