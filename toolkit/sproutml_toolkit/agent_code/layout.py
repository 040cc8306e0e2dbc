"""What agent-written code may see, laid out for its sandbox: rows without sealed ones, and of targets only what a fold trains on.

    work/code/table.pkl            the training rows' features, columns named c0, c1 …; no target
    work/code/<id>/<part>/         one task: spec.json, code.py, the positions of its rows and the targets of those it trains on
    work/code/<id>/kept/           code.py, spec.json and what each fold learnt, for later questions

A part is `sample` (a few rows, to fail early), `all` (features that learn nothing) or `fold-0`, `fold-1` …. Each runs in a process
of its own that sees its own part alone: what one fold trains on, another is scored on.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import workspace
from ..wire import ToolkitError
from .source import FEATURES, PIPELINE, form_of

FOLDER = Path("work/code")
TABLE = FOLDER / "table.pkl"
_SAMPLE_ROWS = 400
_PROBE_ROWS = 60


def code_folder(code_id: str) -> Path:
    """The folder of one piece of code. Its id is letters, digits and `-`: it can't lead out of the job's folder."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", code_id):
        raise ToolkitError("REQUEST_INVALID", f"{code_id!r} is no code id", "Use letters, digits and - only.")
    return FOLDER / code_id


def column_ids(names: list[str]) -> list[str]:
    """c0, c1 … for the columns of a table, in its order: what agents call them."""
    return [f"c{place}" for place in range(len(names))]


def lay_out(code_id: str, source: str, seed: int) -> dict[str, Any]:
    """Write every part; {form, parts, sample}. Errors: CODE_TOO_LONG CODE_INVALID."""
    folder, form = code_folder(code_id), form_of(source)
    train, folds, profile = workspace.load_train(), workspace.load_folds(), workspace.load_profile()
    if not TABLE.is_file():
        workspace.save_pickle(TABLE, train.X.set_axis(column_ids(list(train.X.columns)), axis=1))
    rng = np.random.default_rng(seed)
    everything, none = np.arange(len(train)), np.empty(0, dtype=np.int64)

    def write(part: str, fitted: np.ndarray, asked: np.ndarray) -> None:
        target = folder / part
        spec = {
            "id": code_id, "form": form, "table": str(TABLE), "classes": len(profile["classes"] or []), "seed": seed,
            "hasTarget": form != FEATURES,
        }  # fmt: skip
        workspace.save_json(target / "spec.json", spec)
        _save_text(target / "code.py", source)
        workspace.save_array(target / "train.npy", fitted)
        workspace.save_array(target / "asked.npy", asked)
        workspace.save_array(target / "probe.npy", probe_of(asked, seed))
        if form != FEATURES:
            workspace.save_array(target / "target.npy", train.y[fitted])

    sample = np.sort(rng.permutation(len(train))[:_SAMPLE_ROWS])
    half = folds[sample] != folds[sample[0]]
    write("sample", none if form == FEATURES else sample[half], sample)
    if form == FEATURES:
        parts = ["all"]
        write("all", none, everything)
    else:
        parts = [f"fold-{int(number)}" for number in np.unique(folds)]
        for number in np.unique(folds):
            held = folds == number
            write(f"fold-{int(number)}", np.flatnonzero(~held), np.flatnonzero(held) if form == PIPELINE else everything)
    return {"form": form, "parts": parts, "sample": len(sample) < len(train)}


def probe_of(asked: np.ndarray, seed: int) -> np.ndarray:
    """Some of the rows asked for, in another order: each is to get the same answer among them as among all."""
    return np.random.default_rng(seed + 1).permutation(asked)[:_PROBE_ROWS]


def read_source(code_id: str) -> str:
    """The text as it was laid out."""
    return (code_folder(code_id) / "sample" / "code.py").read_text(encoding="utf-8")


def _save_text(path: Path, text: str) -> None:
    with workspace.atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def lay_out_look(code_id: str, source: str) -> Path:
    """The folder with the code and the training rows it looks at: the targets too, but those of the last fold.

    What code learns by looking it can write into other code: rows whose targets were never seen tell afterwards whether it did.
    """
    folder = code_folder(code_id)
    train, folds = workspace.load_train(), workspace.load_folds()
    seen = folds != folds.max()
    frame = train.X[seen].set_axis(column_ids(list(train.X.columns)), axis=1).reset_index(drop=True)
    frame["target"] = train.y[seen]
    workspace.save_pickle(folder / "rows.pkl", frame)
    _save_text(folder / "code.py", source)
    return folder
