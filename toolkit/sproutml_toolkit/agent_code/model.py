"""Models that need agent-written code to answer: the code, what it learnt in each fold, and who runs it.

In a wire command nobody does but the process that the server keeps in the untrusted sandbox (`serve_through`): questions go to
`work/`, which it can only read, and answers come back as plain arrays in `scratch/`. Elsewhere, on the machine of a person who
uses a finished model, it runs in place: `load_model` says so.
"""

import pickle
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from .. import workspace
from ..wire import ToolkitError
from .inside import write_answer
from .layout import column_ids
from .loaded import AgentCodeError, Loaded
from .reading import read_frame, read_scores
from .source import PIPELINE

if TYPE_CHECKING:
    from ..families.fold import FoldModel

_POLL_SECONDS = 0.004


@dataclass
class AgentCode:
    """One piece of code and what it learnt. columns: the table's header names in the order of c0, c1 …. states: a pickle for each
    fold, none where it learns nothing. made: the kind (number, category) of each column it makes. classes: 0 for values."""

    id: str
    form: str
    source: str
    columns: list[str]
    states: list[bytes]
    made: dict[str, str]
    classes: int
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)
    _last: Any = field(default=None, repr=False, compare=False)

    def answers(self, X: pd.DataFrame) -> list[Any]:
        """For each fold, or once where nothing is learnt: the columns made (a frame), or a pipeline's scores."""
        with self._lock:
            # The members of a bag ask for the same rows one after the other.
            if self._last is not None and self._last[0]() is X:
                return self._last[1]
            frame = X[self.columns].set_axis(column_ids(self.columns), axis=1).reset_index(drop=True)
            try:
                found = _runner().answer(self, frame)
            except ToolkitError as error:
                # Whose fault it is decides which models are worth nothing.
                raise ToolkitError(error.code, f"{error.message} (code {self.id})", error.hint) from error
            self._last = (weakref.ref(X), found)
            return found

    def beside(self, X: pd.DataFrame, fold: int) -> pd.DataFrame:
        """The rows with the columns that the code makes of them in this fold."""
        answers = self.answers(X)
        made = answers[fold if len(answers) > 1 else 0]
        return with_columns(X, made)

    def checked(self, made: pd.DataFrame, kinds: dict[str, str]) -> pd.DataFrame:
        """CODE_OUTPUT_INVALID unless these are the columns that it made in training. One without a value has no kind of its own."""
        made = like(made, kinds, self.made)
        if made is None:
            raise ToolkitError(
                "CODE_OUTPUT_INVALID", "the code makes other columns of these rows than it made in training",
                "Make the same columns whatever the rows hold.",
            )  # fmt: skip
        return made

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lock": None, "_last": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {"_lock": threading.Lock()}


def like(made: pd.DataFrame, kinds: dict[str, str], wanted: dict[str, str]) -> pd.DataFrame | None:
    """The columns as the `wanted` kinds have them; None where they are others."""
    if list(kinds) != list(wanted):
        return None
    for name, kind in wanted.items():
        if kinds[name] == kind:
            continue
        if made[name].notna().any():
            return None
        made = made.assign(**{name: pd.Series([np.nan] * len(made), index=made.index, dtype=float if kind == "number" else object)})
    return made


def with_columns(X: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """X beside what was made of it, under names that the upload's headers don't have: see `made_name`."""
    renamed = made.set_axis([made_name(name) for name in made.columns], axis=1).set_axis(X.index, axis=0)
    return pd.concat([X, renamed], axis=1)


def made_name(name: str) -> str:
    """What a column made by code is called among those of the upload. No header starts with a space: they are stripped."""
    return f" {name}"


@dataclass
class CodedFold:
    """A fold model over the upload's columns and those that the code makes of them."""

    code: AgentCode
    fold: int
    model: "FoldModel"

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values."""
        return self.model.predict_scores(self.code.beside(X, self.fold))


@dataclass
class PipelineFold:
    """What the code's own model of one fold answers."""

    code: AgentCode
    fold: int

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values."""
        return self.code.answers(X)[self.fold]


class Runner(Protocol):
    """Whoever runs the code."""

    def answer(self, code: AgentCode, frame: pd.DataFrame) -> list[Any]:
        """For each fold the columns made, as a frame, or the scores; `frame` has the columns c0, c1 …."""
        ...


class InPlace:
    """Runs the code in this very process. For people who use a model of theirs, never in a job."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Loaded, list[Any]]] = {}

    def answer(self, code: AgentCode, frame: pd.DataFrame) -> list[Any]:
        """See Runner."""
        if code.id not in self._known:
            loaded = Loaded(code.id, code.source, code.form)
            self._known[code.id] = (loaded, [pickle.loads(state) for state in code.states] or [None])
        loaded, states = self._known[code.id]
        found = []
        with tempfile.TemporaryDirectory() as folder:
            for state in states:
                try:
                    write_answer(Path(folder).resolve(), loaded.answer(frame, state, code.classes, list(code.made)))
                except AgentCodeError as error:
                    raise ToolkitError("CODE_FAILED", f"the model's own code failed: {error}") from error
                found.append(_read(code, Path(folder).resolve(), len(frame)))
        return found


class Nowhere:
    """In a job, before the server said who runs it."""

    def answer(self, code: AgentCode, frame: pd.DataFrame) -> list[Any]:
        """See Runner."""
        raise ToolkitError(
            "CODE_NOT_RUN", "agent-written code does not run in trusted processes",
            "Name the sandboxed process that answers for it as `codeServer`.",
        )  # fmt: skip


class Served:
    """Asks the process in the untrusted sandbox. One question at a time."""

    def __init__(self, requests: Path, answers: Path, seconds: float) -> None:
        self.requests, self.answers, self.seconds = requests, answers, seconds
        self._asked = 0
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def answer(self, code: AgentCode, frame: pd.DataFrame) -> list[Any]:
        """See Runner. CODE_FAILED when it raises or does not answer in time."""
        with self._lock:
            if code.id not in self._known:
                keep(code, self.requests / code.id)
                self._known.add(code.id)
            self._asked += 1
            folder = self.answers / str(self._asked)
            workspace.save_pickle(self.requests / f"{self._asked}.pkl", {"id": code.id, "frame": frame})
            self._wait(folder)
            return [_read(code, folder / str(place), len(frame)) for place in range(len(code.states) or 1)]

    def _wait(self, folder: Path) -> None:
        deadline = time.monotonic() + self.seconds
        while not (folder / "done").exists():
            if (folder / "failed").exists():
                raise ToolkitError("CODE_FAILED", "the agent-written code of this model failed on these rows", "The next best one is used.")
            if time.monotonic() > deadline:
                raise ToolkitError("CODE_FAILED", "the agent-written code of this model did not answer in time", "The next best one is used.")
            time.sleep(_POLL_SECONDS)


def keep(code: AgentCode, folder: Path) -> None:
    """Write what a process needs to answer for the code."""
    spec = {"id": code.id, "form": code.form, "classes": code.classes, "states": len(code.states), "made": list(code.made)}
    for number, state in enumerate(code.states):
        with workspace.atomic_write(folder / f"state-{number}.pkl") as temporary:
            temporary.write_bytes(state)
    with workspace.atomic_write(folder / "code.py") as temporary:
        temporary.write_text(code.source, encoding="utf-8", errors="replace")
    workspace.save_json(folder / "spec.json", spec)


def _read(code: AgentCode, folder: Path, rows: int) -> Any:
    if code.form == PIPELINE:
        return read_scores(folder, rows, code.classes)
    return code.checked(*read_frame(folder, rows))


_current: Runner | None = None


def never_in_place() -> None:
    """From now on code runs nowhere in this process: what every wire command begins with."""
    global _current
    _current = Nowhere()


def serve_through(request: dict[str, Any]) -> None:
    """Ask the process that a request names under `codeServer`: {requests, answers, seconds}; nobody where it names none."""
    global _current
    server = request.get("codeServer")
    if server:
        _current = Served(Path(server["requests"]), Path(server["answers"]), float(server["seconds"]))


def _runner() -> Runner:
    global _current
    if _current is None:
        _current = InPlace()
    return _current


def codes_of(models: list[Any]) -> dict[str, AgentCode]:
    """The code that these models need, by id."""
    found: dict[str, AgentCode] = {}
    for model in models:
        inner = getattr(model, "model", None)
        members = getattr(inner, "members", None) or getattr(model, "members", None) or []
        for member in members:
            code = getattr(member, "code", None)
            if code is not None:
                found[code.id] = code
    return found
