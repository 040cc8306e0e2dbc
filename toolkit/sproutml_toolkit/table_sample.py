"""A fair sample of the rows of a table that is too large to be held whole: the file is read in pieces, and rows of each kept."""

import gzip
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# What a job of any length can hold and learn from within its memory: twenty bytes a cell and more, several times over.
_MOST_CELLS, _MOST_ROWS = 25_000_000, 2_000_000
# What a second of a job's time can deal with; of fewer rows than this none are left out.
_CELLS_PER_SECOND, _FEWEST_ROWS = 400_000, 20_000
# A sample that leaves out less than this share is not worth it.
_LEAST_LEFT_OUT = 0.1
_PIECE_CELLS = 2_000_000


def rows_to_keep(columns: int, seconds: float | None) -> int:
    """How many rows of a table a job with this time budget should hold."""
    cells = _MOST_CELLS if seconds is None else min(_MOST_CELLS, _CELLS_PER_SECOND * seconds)
    return int(min(max(cells // max(columns, 1), _FEWEST_ROWS), _MOST_ROWS))


def share_to_keep(path: Path, compression: str | None, most_rows: int) -> float:
    """The share of rows to keep so that about `most_rows` are left; 1 where (nearly) all may stay. Line breaks in cells count."""
    lines = 0
    with gzip.open(path, "rb") if compression == "gzip" else path.open("rb") as file:
        while piece := file.read(1 << 22):
            lines += piece.count(b"\n")
    share = most_rows / max(lines, 1)
    return share if share <= 1 - _LEAST_LEFT_OUT else 1.0


def read_share(path: Path, options: dict[str, Any], share: float, columns: int, seed: int) -> tuple[pd.DataFrame, int]:
    """(rows drawn by chance, in file order, their number in the file as index; how many rows the file has).

    options: those of pandas.read_csv for the whole file; dtype is a dict of the columns to be read as text. A column that is
    numbers in one piece and text in another is read again as text throughout.
    """
    as_text: dict[int, Any] = dict(options["dtype"])
    while True:
        rng = np.random.default_rng(seed)
        pieces: list[pd.DataFrame] = []
        rows = 0
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            reader = pd.read_csv(path, **options | {"dtype": as_text, "chunksize": max(_PIECE_CELLS // columns, 1_000)})
            with reader:
                for piece in reader:
                    rows += len(piece)
                    pieces.append(piece[rng.random(len(piece)) < share])
        mixed = {name for name in pieces[0].columns if _is_mixed([piece[name] for piece in pieces])} - set(as_text)
        if not mixed:
            return pd.concat(pieces), rows
        as_text |= dict.fromkeys(mixed, object)


def _is_mixed(parts: list[pd.Series]) -> bool:
    kinds = {pd.api.types.is_numeric_dtype(part) and not pd.api.types.is_bool_dtype(part) for part in parts if part.notna().any()}
    return len(kinds) > 1


def say_sampled(kept: int, rows: int, columns: int, seconds: float | None) -> list[str]:
    """What people are told, in lower case and without a full stop; nothing where all rows were kept."""
    if kept == rows:
        return []
    most = rows_to_keep(columns, None)
    if most >= (1 - _LEAST_LEFT_OUT) * rows:
        limit, more = "time", f"with a time budget of {math.ceil(rows * columns / _CELLS_PER_SECOND):,} s all would be"
    elif rows_to_keep(columns, seconds) < most:
        limit, more = "time", f"with more time up to {most:,} would be, as many as fit its memory"
    else:
        limit, more = "memory", "more time would not change that"
    return [
        f"of {rows:,} rows {kept:,} were drawn by chance, as many as fit the job's {limit}: everything below, the sealed rows "
        f"included, is about those, and no model, the light one included, learns from the others; {more}"
    ]
