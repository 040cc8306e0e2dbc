"""`predict`: use a model.pkl on a new table. For people, so it speaks plain text and exits 2 on a coded error."""

import argparse
import gzip
import re
import sys
from pathlib import Path

import pandas as pd

from . import workspace
from .agent_code.model import codes_of
from .columns import ColumnType
from .model import load_model
from .table import is_missing, read_table
from .wire import ToolkitError

_DELIMITERS = ",;\t|"
_READ_AS = {"NUMERIC": "numbers", "DATE": "dates"}


def main(arguments: list[str]) -> int:
    """Serve `predict --model model.pkl --input new.csv [--output predictions.csv]`."""
    parser = argparse.ArgumentParser(
        prog="python -m sproutml_toolkit predict",
        description="Adds predictions to a table. Loading a model runs the code in it: load only models you trust.",
    )
    parser.add_argument("--model", required=True, help="the model.pkl of a finished job")
    parser.add_argument("--input", required=True, help="a CSV with the columns of the training table (.gz is fine)")
    parser.add_argument("--output", help="where to write the table with predictions (default: stdout)")
    options = parser.parse_args(arguments)
    try:
        predict(Path(options.model), Path(options.input), Path(options.output) if options.output else None)
    except ToolkitError as error:
        print(f"{error.code}: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 2
    return 0


def predict(model_path: Path, input_path: Path, output_path: Path | None) -> None:
    """Write the input's rows with `prediction` and, for classification, `probability_<class>` columns added."""
    model = load_model(model_path)
    for code in codes_of([member for _, member in model.members]).values():
        print(
            f"note: this model runs Python that a language model wrote ({code.id}, {len(code.source.splitlines())} lines), with your "
            "rights and on your data: read it in the job's report or CODE artifacts first",
            file=sys.stderr,
        )
    delimiter, encoding, compression = sniff(input_path)
    raw = read_table(input_path, delimiter, encoding, compression)
    X = model.read_raw(raw, delimiter)
    for line in unread(raw, X, model.schema):
        print(line, file=sys.stderr)
    scores = model.predict_scores(X)
    added = {"prediction": model.answers(scores)}
    for position, label in enumerate(model.classes or []):
        # Fewer digits would make a small probability 0, and one such row that comes true ruins the log loss of a table.
        added[f"probability_{label}"] = scores[:, position].round(9)
    kept = raw.drop(columns=[name for name in raw.columns if name in added])
    result = pd.concat([kept, pd.DataFrame(added, index=raw.index)], axis=1)
    if output_path is None:
        result.to_csv(sys.stdout, index=False)
        return
    with workspace.atomic_write(output_path) as temporary:
        result.to_csv(temporary, index=False)


def unread(raw: pd.DataFrame, X: pd.DataFrame, schema: list[ColumnType]) -> list[str]:
    """A line for each number or date column of which over half the values could not be read and count as missing."""
    lines = []
    cells_of = {str(name).strip(): raw[name].reset_index(drop=True) for name in reversed(list(raw.columns))}
    for column in schema:
        if column.type not in _READ_AS:
            continue
        cells = cells_of[column.name]
        known = ~is_missing(cells)
        lost = known & X[column.name].isna().to_numpy()
        if lost.sum() > known.sum() / 2:
            lines.append(
                f'warning: {lost.sum():,} of {known.sum():,} values of "{column.name}" are no {_READ_AS[column.type]}, such as '
                f'"{str(cells[lost].iloc[0])[:40]}": they count as missing'
            )
    return lines


def sniff(path: Path) -> tuple[str, str, str | None]:
    """(delimiter, encoding, compression) of a file, from its name, its first bytes and its header row."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        opener = gzip.open if packed else open
        with opener(path, "rb") as file:
            start = file.read(256 * 1024)
    except (OSError, EOFError) as error:
        raise ToolkitError("UNREADABLE_TABLE", f"{path} could not be read: {error}", "Check the path.") from error
    encoding = "utf-8"
    try:
        # The last bytes may be half a character.
        start[: max(len(start) - 4, 0) or len(start)].decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding = "latin-1"
    header = next(iter(start.decode(encoding, errors="replace").splitlines()), "")
    # Quoted cells may hold any delimiter.
    bare = re.sub(r'"(?:[^"]|"")*"', "", header)
    delimiter = max(_DELIMITERS, key=lambda sign: (bare.count(sign), -_DELIMITERS.index(sign)))
    return delimiter, encoding, "gzip" if packed else None

