"""One experiment: one system on one fold of one dataset with one budget, from the rows it may see to a line of results."""

import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .catalogue import Dataset
from .errors import BenchError
from .score import read_predictions, score
from .systems import System
from .watch import run_watched

# A system that ignores its budget is ended, so that one cannot stop the whole table.
_FIT_FACTOR, _FIT_GRACE_SECONDS = 2, 300
_PREDICT_LIMIT_SECONDS = 900


@dataclass(frozen=True)
class Experiment:
    """`test_rows` are the row ids of fold number `fold` of `folds`."""

    dataset: Dataset
    folds: int
    fold: int
    test_rows: np.ndarray
    budget_seconds: float
    threads: int


def run(experiment: Experiment, system: System, log: Path) -> dict:
    """The line for `records.jsonl`. Whatever a system does wrong is that line's `error`."""
    dataset = experiment.dataset
    record = {
        "dataset": dataset.name,
        "sha256": dataset.sha256,
        "folds": experiment.folds,
        "fold": experiment.fold,
        "budget_seconds": experiment.budget_seconds,
        "system": system.name,
        "version": system.version,
        "metric": dataset.metric,
        "threads": experiment.threads,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "score": None,
        "train_seconds": None,
        "peak_memory_bytes": None,
        "model_bytes": None,
        "predict_micros_per_row": None,
        "notes": {},
        "error": None,
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    # A short path: sockets that systems make in it may have no more than 107 characters.
    scratch = Path(tempfile.mkdtemp(prefix="automl-"))
    try:
        _run_in(scratch, experiment, system, log, record)
    except BenchError as error:
        record["error"] = {"code": error.code, "message": error.message}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return record


def _run_in(scratch: Path, experiment: Experiment, system: System, log: Path, record: dict) -> None:
    dataset = experiment.dataset
    is_test = np.isin(np.arange(len(dataset.cells)), experiment.test_rows)
    dataset.cells[~is_test].to_csv(scratch / "train.csv", index=False)
    (scratch / "model").mkdir()
    request = {
        "target": dataset.target,
        "task": dataset.task,
        "metric": dataset.metric,
        "positive_class": dataset.positive_class,
        "budget_seconds": experiment.budget_seconds,
        "threads": experiment.threads,
        "seed": experiment.fold,
        "options": system.options,
    }
    (scratch / "request.json").write_text(json.dumps(request))
    limit = experiment.budget_seconds * _FIT_FACTOR + _FIT_GRACE_SECONDS
    fitted = _call(system.fit, "fit", scratch, limit, log, record)
    record["train_seconds"] = round(fitted["train_seconds"], 3)
    record["notes"] = fitted["notes"]
    record["model_bytes"] = _size(scratch / "model")
    # Only now do the test rows exist outside the harness, and never their targets.
    test = dataset.cells[is_test]
    test.drop(columns=dataset.target).to_csv(scratch / "test.csv", index=False)
    (scratch / "train.csv").unlink()
    predicted = _call(system.predict, "predict", scratch, _PREDICT_LIMIT_SECONDS, log, record)
    record["predict_micros_per_row"] = round(predicted["micros_per_row"], 2)
    try:
        value = score(dataset, test[dataset.target].to_numpy(), _predictions(scratch, dataset, test))
    except ValueError as error:
        raise BenchError("SCORE_UNDEFINED", str(error)) from error
    if not np.isfinite(value):
        raise BenchError("SCORE_UNDEFINED", f"{dataset.metric} is {value} on this fold.")
    record["score"] = value


def _predictions(scratch: Path, dataset: Dataset, test: pd.DataFrame) -> np.ndarray:
    path = scratch / "predictions.csv"
    if not path.exists():
        raise BenchError("PREDICTIONS_INVALID", "no predictions.csv was written.")
    return read_predictions(path, dataset, len(test))


def _call(command: tuple[str, ...], verb: str, scratch: Path, limit: float, log: Path, record: dict) -> dict:
    """Run one half of a system; what it leaves in `VERB.json`. Raises TIMED_OUT or SYSTEM_FAILED with the log's last line."""
    environment = {**os.environ, "TMPDIR": str(scratch)}
    watched = run_watched(
        [*command, verb, str(scratch)], limit_seconds=limit, log=log, folder=scratch, environment=environment
    )
    record["peak_memory_bytes"] = max(record["peak_memory_bytes"] or 0, watched.peak_bytes) or None
    if watched.exit_code is None:
        raise BenchError("TIMED_OUT", f"{verb} was still running after {limit:.0f} s.")
    answer = scratch / f"{verb}.json"
    if watched.exit_code != 0 or not answer.exists():
        said = log.read_text(errors="replace").strip().splitlines()
        last = said[-1][:500] if said else "no word"
        raise BenchError("SYSTEM_FAILED", f"{verb} ended with code {watched.exit_code}: {last}")
    return json.loads(answer.read_text())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
