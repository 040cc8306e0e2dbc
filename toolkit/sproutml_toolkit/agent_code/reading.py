"""What agent-written code left, read by trusted code: bytes to be doubted, never pickles, never code.

The folder may be the work of somebody hostile: links, pipes, hard links, files of any size and any content stand in it. Errors quote
nothing of it: they are told to whoever wrote the code, and names of columns may be made of cells.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..wire import ToolkitError
from .source import column_name

_MOST_COLUMNS = 200
_MOST_CATEGORIES = 20_000
_MOST_JSON = 8 * 1024 * 1024
_MOST_STATE = 192 * 1024 * 1024
_MAGIC = b"\x93NUMPY\x01\x00"


def wrong(message: str, hint: str = "Return one row for each row given, in the same order.") -> ToolkitError:
    """The code gave what its form does not allow."""
    return ToolkitError("CODE_OUTPUT_INVALID", message, hint)


def read_bytes(path: Path, most: int) -> bytes:
    """A regular file's bytes, reached without following a link; CODE_OUTPUT_INVALID for anything else or more than `most`."""
    folder = os.open(path.parts[0], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in path.parts[1:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # Without O_NONBLOCK, opening a pipe that no one writes to would wait for ever.
        file = os.open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise wrong(f"the code left no file {path.name}: {error.strerror}", "Let the code end by itself.") from error
    finally:
        os.close(folder)
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise wrong(f"{path.name} is no file of its own")
        content = opened.read(most + 1)
    if len(content) > most:
        raise wrong(f"{path.name} is larger than {most:,} bytes", "Keep less.")
    return content


def read_values(folder: Path, rows: int, width: int) -> np.ndarray:
    """(rows, width) float64 from values.npy; its header is not believed but compared."""
    header = _npy_header(rows, width)
    content = read_bytes(folder / "values.npy", len(header) + rows * width * 8 + 1024)
    if not content.startswith(_MAGIC) or len(content) < 10:
        raise wrong("values.npy holds no array")
    start = 10 + int.from_bytes(content[8:10], "little")
    said = content[10:start].decode("latin-1").strip()
    if said != header:
        raise wrong(f"an array of {rows:,} rows and {width:,} columns of float64 was to come, and not {said[:120]!r}")
    body = content[start:]
    if len(body) != rows * width * 8:
        raise wrong("values.npy is cut short")
    return np.frombuffer(body, dtype="<f8").reshape(rows, width).copy()


def _npy_header(rows: int, width: int) -> str:
    return f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {width}), }}"


def read_columns(folder: Path) -> list[dict[str, Any]]:
    """[{name, kind, categories}] that the code made, names made fit to print. CODE_OUTPUT_INVALID for nonsense."""
    try:
        found = json.loads(read_bytes(folder / "columns.json", _MOST_JSON))
    except (ValueError, RecursionError) as error:
        raise wrong("columns.json holds no JSON") from error
    if not isinstance(found, list) or len(found) > _MOST_COLUMNS:
        raise wrong(f"more than {_MOST_COLUMNS} columns are too many", "Return fewer columns.")
    columns: list[dict[str, Any]] = []
    for entry in found:
        if not isinstance(entry, dict) or entry.get("kind") not in ("number", "category"):
            raise wrong("columns.json is of an unknown shape")
        categories = entry.get("categories") if entry["kind"] == "category" else None
        if categories is not None and (
            not isinstance(categories, list) or len(categories) > _MOST_CATEGORIES or not all(isinstance(c, str) for c in categories)
        ):
            raise wrong(f"more than {_MOST_CATEGORIES:,} categories are too many", "Return numbers, or fewer categories.")
        name = column_name(entry.get("name", ""), len(columns))
        if any(name == other["name"] for other in columns):
            raise wrong(f"column {len(columns) + 1} has the name of another", "Give each column a name of its own.")
        columns.append({"name": name, "kind": entry["kind"], "categories": categories})
    return columns


def read_frame(folder: Path, rows: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns made for so many rows, as features take them (float64, or object of str), and each one's kind."""
    columns = read_columns(folder)
    values = read_values(folder, rows, len(columns))
    made: dict[str, Any] = {}
    for place, column in enumerate(columns):
        numbers = values[:, place]
        if column["kind"] == "number":
            made[column["name"]] = np.where(np.isfinite(numbers), numbers, np.nan)
            continue
        labels = np.array([*(column["categories"] or []), None], dtype=object)
        codes = np.nan_to_num(numbers, nan=-1.0, posinf=-1.0, neginf=-1.0)
        if ((codes < -1) | (codes >= len(labels) - 1)).any():
            raise wrong(f"the categories of column {place + 1} are numbered beyond their list")
        made[column["name"]] = pd.Series(labels[codes.astype(np.int64)], dtype=object)
    return pd.DataFrame(made, index=pd.RangeIndex(rows)), {column["name"]: column["kind"] for column in columns}


def read_scores(folder: Path, rows: int, classes: int) -> np.ndarray:
    """(rows, classes) probabilities or (rows,) values of a pipeline; CODE_OUTPUT_INVALID where they are none."""
    values = read_values(folder, rows, classes or 1)
    if not np.isfinite(values).all():
        raise wrong("some answers are not finite", "Fill in or clip before answering.")
    if classes == 0:
        return values[:, 0]
    if (values < 0).any() or (np.abs(values.sum(axis=1) - 1) > 1e-3).any():
        raise wrong("the probabilities of a row are to lie between 0 and 1 and sum to 1", "Normalise predict_proba.")
    return values / values.sum(axis=1, keepdims=True)


def read_state(folder: Path) -> bytes:
    """What the code learnt, as the bytes it left: carried along, never opened here."""
    return read_bytes(folder / "state.pkl", _MOST_STATE)
