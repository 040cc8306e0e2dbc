"""The process that runs agent-written code, in a sandbox that holds what that code may see and nothing else.

`python -I -B -m sproutml_toolkit agent-code` reads one JSON line: a task, or what to serve. It says nothing but what the code
prints and raises; what the code makes lies in `answers` as plain files, and whoever reads them trusts none of it.

    {"do": "task", "folder": "work/code/<id>/<part>", "answers": "scratch/…"}      fit, and answer for rows
    {"do": "serve", "requests": "work/…", "answers": "scratch/…"}                  answer for rows that come, until killed
    {"do": "look", "folder": "work/code/<id>/look", "answers": "scratch/…"}        run a module over the rows, to see what it prints
"""

import json
import pickle
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .loaded import AgentCodeError, Loaded

RAISED = 3
_POLL_SECONDS = 0.004


def main() -> int:
    """Serve the one order on stdin; the exit code is 0, or 3 when the code raised."""
    order = json.loads(sys.stdin.readline())
    try:
        {"task": run_task, "serve": _serve, "look": _look}[order["do"]](order)
    except Exception as error:
        print(explained(error), file=sys.stderr, flush=True)
        return RAISED
    return 0


def explained(error: BaseException) -> str:
    """The error as its author needs it: the lines of the code itself, then type and message."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<agent code>"]
    lines = [f"  line {frame.lineno}, in {frame.name}" for frame in frames[-6:]]
    return "\n".join(["Traceback of the code:", *lines, f"{type(error).__name__}: {error}"])


def run_task(order: dict[str, Any]) -> None:
    """Fit and answer as the folder's spec says; see layout."""
    folder, answers = Path(order["folder"]), Path(order["answers"])
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    frame: pd.DataFrame = pd.read_pickle(spec["table"])
    train, asked, probe = (np.load(folder / f"{name}.npy") for name in ("train", "asked", "probe"))
    target = pd.Series(np.load(folder / "target.npy"), name="target") if spec["hasTarget"] else None
    code = Loaded(spec["id"], (folder / "code.py").read_text(encoding="utf-8"), spec["form"])

    started = time.monotonic()
    state = code.fit(_rows(frame, train), target, spec["seed"])
    fitted = time.monotonic()
    made = code.answer(_rows(frame, asked), state, spec["classes"])
    write_answer(answers / "asked", made)
    answered = time.monotonic()
    names = [column["name"] for column in made["columns"]]
    write_answer(answers / "probe", code.answer(_rows(frame, probe), state, spec["classes"], names))
    _answer_odd(code, _rows(frame, probe), state, spec["classes"], names)
    with (answers / "state.pkl").open("wb") as file:
        pickle.dump(state, file, protocol=5)
    times = {"fitSeconds": fitted - started, "answerSeconds": answered - fitted}
    (answers / "times.json").write_text(json.dumps(times), encoding="utf-8")


def _serve(order: dict[str, Any]) -> None:
    requests, answers = Path(order["requests"]), Path(order["answers"])
    known: dict[str, tuple[Loaded, list[Any], int, list[str]]] = {}
    number = 1
    while True:
        path = requests / f"{number}.pkl"
        if not path.is_file():
            time.sleep(_POLL_SECONDS)
            continue
        asked = pd.read_pickle(path)
        folder = answers / str(number)
        folder.mkdir(exist_ok=True)
        try:
            if asked["id"] not in known:
                known[asked["id"]] = _known(requests / asked["id"])
            code, states, classes, names = known[asked["id"]]
            for place, state in enumerate(states):
                write_answer(folder / str(place), code.answer(asked["frame"], state, classes, names))
            (folder / "done").write_text("", encoding="utf-8")
        except Exception as error:
            print(explained(error), file=sys.stderr, flush=True)
            (folder / "failed").write_text("", encoding="utf-8")
        number += 1


def _known(folder: Path) -> tuple[Loaded, list[Any], int, list[str]]:
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    code = Loaded(spec["id"], (folder / "code.py").read_text(encoding="utf-8"), spec["form"])
    states = []
    for number in range(spec["states"]):
        with (folder / f"state-{number}.pkl").open("rb") as file:
            states.append(pickle.load(file))
    return code, states or [None], spec["classes"], spec["made"]


def _look(order: dict[str, Any]) -> None:
    folder = Path(order["folder"])
    frame = pd.read_pickle(folder / "rows.pkl")
    source = (folder / "code.py").read_text(encoding="utf-8")
    target = frame.pop("target")
    names = {"frame": frame, "target": target, "pd": pd, "np": np, "__name__": "__main__"}
    exec(compile(source, "<agent code>", "exec"), names)


def _rows(frame: pd.DataFrame, positions: np.ndarray) -> pd.DataFrame:
    return frame.iloc[positions].reset_index(drop=True)


def _answer_odd(code: Loaded, frame: pd.DataFrame, state: Any, classes: int, names: list[str]) -> None:
    """Try what new tables have and this one may not: a single row, missing cells, values never seen."""
    odd = frame.iloc[:1].copy()
    for place, name in enumerate(odd.columns):
        if place % 2 == 0:
            odd[name] = pd.Series([None], index=odd.index).astype(odd[name].dtype)
        elif odd[name].dtype == object:
            odd[name] = "never seen before"
    try:
        code.answer(odd, state, classes, names)
    except Exception as error:
        raise AgentCodeError(f"a single row with missing cells and unseen values is not answered: {type(error).__name__}: {error}") from error


def write_answer(folder: Path, answer: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "columns.json").write_text(json.dumps(answer["columns"]), encoding="utf-8")
    np.save(folder / "values.npy", np.ascontiguousarray(answer["values"], dtype=np.float64), allow_pickle=False)


if __name__ == "__main__":
    sys.exit(main())
