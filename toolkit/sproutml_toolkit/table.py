"""Reading an uploaded table of any dialect into columns of cells."""

import gzip
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .table_sample import read_share, rows_to_keep, share_to_keep
from .wire import ToolkitError, emit_log

# Up to this many bytes every cell is read as text, so that codes such as 007 are seen wherever they stand. Beyond it, and
# where the first rows alone have this many cells, the parser types numbers as it reads (8 bytes a cell instead of 60, and a
# tenth of the time), and codes are looked for in the first rows only.
_TEXT_BYTES = 48 * 1024 * 1024
_TEXT_CELLS = 2_000_000
_SAMPLE_ROWS, _FEWEST_SAMPLE_ROWS = 20_000, 200

# What people write for "no value", compared in lower case. `-`, `.` and `none` count in features; in a text target they
# may be a class, so there only the first line counts.
MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "#na", "nan", "<na>", "null", "(null)", "#null!"})
LOOSE_MISSING = MISSING | {"-", "--", "---", ".", "..", "none", "nil", "missing", "#value!", "#div/0!", "#ref!", "nat"}


def read_table(
    path: str | Path, delimiter: str = ",", encoding: str = "utf-8", compression: str | None = None
) -> pd.DataFrame:
    """Read the whole file: one column per header cell, under unique names, cells as str or, in a large file, numbers.

    Empty cells are "" (or NaN in a numeric column). Errors: EMPTY_FILE, HEADER_ONLY, UNREADABLE_TABLE.
    """
    return _read_file(Path(path), delimiter, encoding, compression, None)[0]


def read_rows(
    path: str | Path, delimiter: str, encoding: str, compression: str | None, seconds: float | None, seed: int
) -> tuple[pd.DataFrame, int]:
    """As read_table, but of a table too large for a job of so many seconds a fair sample of rows, with their number in the
    file as index; and how many rows the file has. See table_sample."""
    return _read_file(Path(path), delimiter, encoding, compression, (seconds, seed))


def _read_file(
    path: Path, delimiter: str, encoding: str, compression: str | None, sampling: tuple[float | None, int] | None
) -> tuple[pd.DataFrame, int]:
    _refuse_unreadable(path, compression)
    try:
        return _read(path, delimiter, encoding, compression, sampling)
    except UnicodeDecodeError:
        emit_log("WARNING", f"the file is not valid {encoding} throughout: read as Latin-1 instead")
        return _read(path, delimiter, "latin-1", compression, sampling)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise ToolkitError(
            "UNREADABLE_TABLE", f"the file could not be read: {error}", "Check that the file is whole and upload it again."
        ) from error


def column_names(header: list[str]) -> list[str]:
    """Unique, non-empty names from header cells: an empty one becomes `column_3`, the second `x` becomes `x_2`."""
    names: list[str] = []
    taken = {cell.strip() for cell in header}
    used: set[str] = set()
    # Where the last one left off: thousands of columns of one name would try every number for each of them.
    next_suffix: dict[str, int] = {}
    for position, cell in enumerate(header, start=1):
        name = base = cell.strip() or f"column_{position}"
        suffix = next_suffix.get(base, 2)
        while name in used or (name != cell.strip() and name in taken):
            name = f"{base}_{suffix}"
            suffix += 1
        next_suffix[base] = suffix
        used.add(name)
        names.append(name)
    return names


def _read(
    path: Path, delimiter: str, encoding: str, compression: str | None, sampling: tuple[float | None, int] | None
) -> tuple[pd.DataFrame, int]:
    """(the table, or a sample of it for `sampling` seconds and seed; the file's rows)."""
    # A byte order mark is never part of the first header cell, whatever the sniffer called the encoding.
    options = {
        "sep": delimiter,
        "encoding": "utf-8-sig" if encoding == "utf-8" else encoding,
        "compression": compression,
        "header": None,
        "keep_default_na": False,
        "na_filter": False,
        "skip_blank_lines": True,
        "engine": "c",
        "dtype": object,
    }
    try:
        first = pd.read_csv(path, nrows=1, **options)
        columns = first.shape[1]
        is_wide = columns * _SAMPLE_ROWS > _TEXT_CELLS
        sample = max(_TEXT_CELLS // columns, _FEWEST_SAMPLE_ROWS) if is_wide else _SAMPLE_ROWS
        head = pd.read_csv(path, nrows=sample + 1, **options)
        header = column_names([str(cell) for cell in head.iloc[0]])
        if len(head) == 1:
            raise ToolkitError(
                "HEADER_ONLY", "the file has a header and no rows below it", "Upload a file with at least ten rows of data."
            )
        share = 1.0
        if len(head) > sample and sampling is not None:
            share = share_to_keep(path, compression, rows_to_keep(len(header), sampling[0]))
        if share < 1.0:
            table, rows = read_share(path, _typed_options(options, head), share, len(header), sampling[1])
            table.columns = header
            return table, rows
        if len(head) <= sample:
            table = head.iloc[1:].reset_index(drop=True)
        elif not is_wide and path.stat().st_size <= _TEXT_BYTES // (4 if compression else 1):
            table = pd.read_csv(path, **options).iloc[1:].reset_index(drop=True)
        else:
            table = _read_large(path, options, head)
    except pd.errors.EmptyDataError:
        raise ToolkitError("EMPTY_FILE", "the file has no content", "Upload a CSV with a header and rows.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise ToolkitError(
            "UNREADABLE_TABLE",
            f"the rows do not form a table: {reason}",
            "Every row needs as many cells as the header; put cells that hold the delimiter or a line break in quotes "
            "and close every quote.",
        ) from error
    table.columns = header
    return table, len(table)


def _read_large(path: Path, options: dict, head: pd.DataFrame) -> pd.DataFrame:
    """Let the parser type the columns, save those whose first rows hold codes with leading zeros."""
    with warnings.catch_warnings():
        # With index_col=False a row that is too long is cut with a warning: to us it is an error.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, **_typed_options(options, head))


def _typed_options(options: dict, head: pd.DataFrame) -> dict:
    """Those that let the parser type the columns. `head`: the header and the first rows, as text."""
    body = head.iloc[1:]
    codes = {position: object for position in range(body.shape[1]) if _holds_codes(body[position])}
    missing = sorted({form for token in LOOSE_MISSING for form in (token, token.upper(), token.title())})
    return options | {
        "header": 0,
        "names": range(body.shape[1]),
        "index_col": False,
        "dtype": codes,
        "na_filter": True,
        "na_values": missing,
        "low_memory": False,
    }


def _holds_codes(cells: pd.Series) -> bool:
    """Whether any cell (str) is digits with a zero in front."""
    bare = (cell.strip() for cell in cells)
    return any(cell[:1] == "0" and len(cell) > 1 and cell.isdecimal() for cell in bare)


def _refuse_unreadable(path: Path, compression: str | None) -> None:
    """Tell an empty, missing or binary file apart before the parser makes nonsense of it."""
    if not path.is_file():
        raise ToolkitError("UNREADABLE_TABLE", f"there is no file {path}", "Check the path.")
    try:
        opener = gzip.open if compression == "gzip" else open
        with opener(path, "rb") as file:
            start = file.read(64 * 1024)
    except (EOFError, gzip.BadGzipFile) as error:
        raise ToolkitError(
            "UNREADABLE_TABLE", f"the file is not a whole gzip file: {error}", "Compress the file again and upload it."
        ) from error
    if not start.strip():
        raise ToolkitError("EMPTY_FILE", "the file has no content", "Upload a CSV with a header and rows.")
    if b"\0" in start:
        raise ToolkitError(
            "UNREADABLE_TABLE",
            "the file holds NUL bytes: it is a binary file or UTF-16 text",
            "Save the table as CSV in UTF-8 (spreadsheets: 'CSV UTF-8').",
        )


def is_missing(cells: pd.Series, tokens: frozenset[str] = LOOSE_MISSING) -> np.ndarray:
    """(n,) True where a cell holds no value: empty, NaN, or one of the tokens."""
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        return ~np.isfinite(cells.to_numpy(dtype=float))
    # One look-up per distinct cell: a column of a million rows rarely has a million different ones.
    codes, distinct = pd.factorize(cells, use_na_sentinel=True)
    missing = np.array([str(cell).strip().lower() in tokens for cell in distinct] + [True])
    return missing[codes]
