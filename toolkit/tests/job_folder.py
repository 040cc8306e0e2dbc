"""A job's folder to run the toolkit's commands in, in this process or over the real wire."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sproutml_toolkit import ensemble, prepare, profile, split, train, workspace
from sproutml_toolkit.wire import ToolkitError

PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
SEED = 3

#: Parameters with which a family learns little, and soon.
QUICK = {
    "LIGHTGBM": {"rounds": 30},
    "CATBOOST": {"rounds": 30},
    "RANDOM_FOREST": {"n_estimators": 20},
    "EXTRA_TREES": {"n_estimators": 20},
    "MLP": {"hidden": [16], "learning_rate": 0.02, "epochs": 20},
}


@dataclass
class JobFolder:
    """Runs commands with `folder` as the working directory, as the sandbox does."""

    folder: Path

    def write(self, content: str | bytes, name: str = "data.csv") -> "JobFolder":
        (self.folder / "input").mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (self.folder / "input" / name).write_bytes(data)
        return self

    def write_rows(self, header: list[str], rows: list[list[Any]]) -> "JobFolder":
        text = io.StringIO()
        csv.writer(text).writerows([header, *rows])
        return self.write(text.getvalue())

    def profile(self, target: str, **more: Any) -> dict[str, Any]:
        source = {"path": "input/data.csv", "delimiter": ",", "encoding": "utf-8", "compression": None} | more.pop("input", {})
        request = {"input": source, "target": target, "ignoreColumns": [], "task": None, "metric": None, "seed": SEED}
        return self._run(profile, request | more)

    def split(self, **more: Any) -> dict[str, Any]:
        return self._run(split, {"holdoutFraction": None, "folds": None, "seed": SEED} | more)

    def prepare(self) -> dict[str, Any]:
        return self._run(prepare, {"seed": SEED})

    def train(self, trial_id: str, family: str, **more: Any) -> dict[str, Any]:
        request = {"trialId": trial_id, "family": family, "params": {}, "timeLimitSeconds": 60, "threads": 2, "seed": SEED}
        return self._run(train, request | more)

    def ensemble(self, trial_id: str, members: list[str]) -> dict[str, Any]:
        return self._run(ensemble, {"trialId": trial_id, "trialIds": members, "rounds": 20})

    def ready(self, target: str, folds: int | None = 4, **more: Any) -> "JobFolder":
        """Profile, split and prepare."""
        self.profile(target, **more)
        self.split(folds=folds)
        self.prepare()
        return self

    def trial(self, trial_id: str) -> workspace.Trial:
        with self.inside():
            return workspace.load_trial(trial_id)

    @contextmanager
    def inside(self) -> Iterator[None]:
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            yield
        finally:
            os.chdir(before)

    def _run(self, module: Any, request: dict[str, Any]) -> dict[str, Any]:
        with self.inside():
            return module.run(request)


def environment() -> dict[str, str]:
    """For a subprocess that is to find the package in this checkout."""
    return os.environ | {"PYTHONPATH": str(PACKAGE_FOLDER)}


def over_the_wire(folder: Path, command: str, request: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Run one command as the server does; its exit code and the lines of its stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "sproutml_toolkit", command],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(),
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def code_of(call: Any, *arguments: Any, **more: Any) -> str:
    """The code of the ToolkitError a call ends with, or "" when it ends well."""
    try:
        call(*arguments, **more)
    except ToolkitError as error:
        return error.code
    return ""
