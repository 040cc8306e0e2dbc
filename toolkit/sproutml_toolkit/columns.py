"""What a column holds, and how its cells become typed values: decided once on the upload, repeated at prediction."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .table import LOOSE_MISSING

# A column is a number, a date or a boolean when this share of its values reads as one; the rest count as missing.
_SHARE = 0.95
_SAMPLE = 5_000

_TRUE = ("true", "yes", "y", "t", "1", "1.0", "on")
_FALSE = ("false", "no", "n", "f", "0", "0.0", "off")
_BOOLEAN = dict.fromkeys(_TRUE, 1.0) | dict.fromkeys(_FALSE, 0.0)

_DECORATION = re.compile(r"[\s$€£¥%_]")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?|[+-]?\d+(?:\.\d*)?|[+-]?\.\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?|[+-]?\d+(?:,\d*)?|[+-]?,\d+")
_DATE_LIKE = re.compile(r"\d[-/. :]|[A-Za-z]{3}[ -]\d|\d[A-Za-z]{3}\d|[A-Za-z]{3} \d{4}")

_ISO = "ISO8601"
_DATES = ("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y",
          "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%b %Y", "%d%b%Y")  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f")

_NAMED_LIKE_ID = re.compile(
    r"(?i)(?:^|[\s_.-])(?:id|ids|uuid|guid|idx|index|key|row|rowid|row[\s_]?(?:no|nr|num|number)|instant|unnamed.*)$"
)
_CAMEL_ID = re.compile(r"[a-z](?:Id|ID|Uuid|UUID|Guid)$")


@dataclass(frozen=True)
class ColumnType:
    """How one column is read.

    type: a column type of the vocabulary. number: `plain`, `thousands` (1,234.5) or `decimal-comma` (1.234,5) for NUMERIC.
    date: a strptime format, or ISO8601, for DATE. note: what a reader of the report should know, or None.
    """

    name: str
    type: str
    number: str = "plain"
    date: str = _ISO
    note: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, for profile.json."""
        return asdict(self)


def infer_type(cells: pd.Series, name: str, delimiter: str = ",") -> ColumnType:
    """Look at a column's cells (str or numbers) and say what it holds. Uses no target."""
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        numbers = cells.to_numpy(dtype=float)
        return _numeric_type(numbers[~np.isnan(numbers)], len(numbers), name, "plain", unread=0)
    counts, missing = _count(cells)
    if not counts:
        return ColumnType(name, "CONSTANT", note="no value in any row")
    values = list(counts)
    if len(values) == 1:
        return _single(name, missing, f"the value is {_short(values[0])}")
    if len(values) == 2 and {_BOOLEAN.get(value.lower()) for value in values} == {0.0, 1.0}:
        return ColumnType(name, "BOOLEAN")
    sample = values[:_SAMPLE]
    weights = np.fromiter(counts.values(), dtype=float, count=len(counts))
    if _is_code(sample):
        return _string_type(counts, name, note="digits with leading zeros: kept as codes")
    style = _number_style(sample, delimiter)
    if style is not None:
        numbers = _numbers(values, style)
        known = np.isfinite(numbers)
        if weights[known].sum() >= _SHARE * weights.sum():
            if style == "plain" and _is_compact_date(values, numbers):
                return ColumnType(name, "DATE", date="%Y%m%d")
            unread = int(weights[~known].sum())
            repeated = np.repeat(numbers[known], weights[known].astype(int))
            return _numeric_type(repeated, len(cells), name, style, unread)
    date = _date_format(sample)
    if date is not None and weights[_dates(values, date).notna()].sum() >= _SHARE * weights.sum():
        ambiguous = date.startswith("%d/%m") and _dates(sample, "%m/%d" + date[5:]).notna().all()
        note = "day and month could not be told apart: read as day first" if ambiguous else None
        return ColumnType(name, "DATE", date=date, note=note)
    return _string_type(counts, name)


def as_feature(cells: pd.Series, column: ColumnType, delimiter: str = ",") -> ColumnType:
    """A column that seemed to name rows as one to learn from: numbers where it reads as such, else categories."""
    style = number_style(cells, delimiter)
    note = "seems to name the row, and is kept as asked"
    return replace(column, type="NUMERIC" if style else "CATEGORICAL", number=style or "plain", note=note)


def number_style(cells: pd.Series, delimiter: str = ",") -> str | None:
    """How a target's numbers are written, or None when its values are classes rather than numbers.

    A few different numbers among other text are class labels; many are numbers with some that can't be read.
    """
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        return "plain"
    counts, _ = _count(cells)
    values = list(counts)
    if not values or _is_code(values):
        return None
    style = _number_style(values, delimiter)
    if style is None or (len(values) <= 20 and not np.isfinite(_numbers(values, style)).all()):
        return None
    return style


def as_written(cells: pd.Series, column: ColumnType, delimiter: str) -> ColumnType:
    """The column, its numbers in the style of these cells where that of the training table reads fewer of them."""
    style = number_style(cells, delimiter) if column.type == "NUMERIC" else None
    if style is None or style == column.number:
        return column
    read = {candidate: parse_numbers(cells, candidate).notna().sum() for candidate in (column.number, style)}
    return replace(column, number=style) if read[style] > read[column.number] else column


def typed(cells: pd.Series, column: ColumnType) -> pd.Series:
    """Cells (str, numbers, dates) as the column's typed values: see workspace.Table. What can't be read is missing."""
    if column.type == "NUMERIC":
        return parse_numbers(cells, column.number)
    if column.type == "DATE":
        return parse_dates(cells, column.date)
    if column.type == "BOOLEAN":
        if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_numeric_dtype(cells):
            return cells.astype(float)
        return _by_value(cells, lambda values: np.array([_BOOLEAN.get(value.lower(), np.nan) for value in values]), np.nan)
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        # A caller may hand over 3.0 where the file said 3.
        cells = cells.astype(float).map(
            lambda value: f"{value:.0f}" if value.is_integer() else str(value), na_action="ignore"
        )
    return _by_value(cells, lambda values: np.array([*values, None], dtype=object)[:-1], None)


def parse_numbers(cells: pd.Series, style: str) -> pd.Series:
    """Cells as float64; what is no number, or not finite, is NaN."""
    if pd.api.types.is_numeric_dtype(cells):
        numbers = cells.to_numpy(dtype=float, na_value=np.nan)
        return pd.Series(np.where(np.isfinite(numbers), numbers, np.nan), index=cells.index)
    return _by_value(cells, lambda values: _numbers(values, style), np.nan)


def parse_dates(cells: pd.Series, date: str) -> pd.Series:
    """Cells as datetime64 in UTC without a zone; what is no date of this format is NaT."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.to_datetime(cells, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    if pd.api.types.is_numeric_dtype(cells):
        cells = cells.astype(float).map(lambda value: f"{value:.0f}", na_action="ignore")
    return _by_value(cells, lambda values: _dates(values, date).to_numpy(), np.datetime64("NaT", "us"))


def _by_value(cells: pd.Series, convert: Callable[[list[str]], np.ndarray], missing: Any) -> pd.Series:
    """Convert each different cell once, stripped; cells without a value become `missing`."""
    codes, distinct = pd.factorize(cells)
    texts = [str(value).strip() for value in distinct]
    converted = convert(texts)
    table = np.empty(len(texts) + 1, dtype=converted.dtype if len(texts) else np.asarray(missing).dtype)
    table[:-1] = converted
    table[-1] = missing
    table[:-1][[text.lower() in LOOSE_MISSING for text in texts]] = missing
    return pd.Series(table[codes], index=cells.index, dtype=table.dtype)


def _count(cells: pd.Series) -> tuple[dict[str, int], int]:
    """(how often each value stands in the column, by first appearance; how many cells hold no value)."""
    codes, distinct = pd.factorize(cells)
    counts: dict[str, int] = {}
    for cell, count in zip(distinct, np.bincount(codes[codes >= 0], minlength=len(distinct)), strict=True):
        text = str(cell).strip()
        if text.lower() not in LOOSE_MISSING:
            counts[text] = counts.get(text, 0) + int(count)
    return counts, len(cells) - sum(counts.values())


def _numbers(texts: list[str], style: str) -> np.ndarray:
    """(n,) float64; what is no number of this style, or not finite, is NaN."""
    if style != "plain":
        pattern = _THOUSANDS if style == "thousands" else _DECIMAL_COMMA
        bare = [_DECORATION.sub("", text) for text in texts]
        texts = [text if pattern.fullmatch(text) else "" for text in bare]
        if style == "thousands":
            texts = [text.replace(",", "") for text in texts]
        else:
            texts = [text.replace(".", "").replace(",", ".") for text in texts]
    # Integers beyond 64 bits come back as Python objects: hence the cast.
    numbers = np.asarray(pd.to_numeric(np.array([*texts, ""], dtype=object)[:-1], errors="coerce")).astype(float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _dates(texts: list[str], date: str) -> pd.DatetimeIndex:
    """(n,) moments in UTC without a zone; what is no date of this format is NaT."""
    parsed = pd.to_datetime(pd.Index(texts, dtype=object), format=date, errors="coerce", utc=True)
    return pd.DatetimeIndex(parsed).tz_localize(None).as_unit("us")


def _numeric_type(values: np.ndarray, rows: int, name: str, style: str, unread: int) -> ColumnType:
    """`values`: the column's numbers, those that differ in the order of rows when each stands once."""
    values = values[np.isfinite(values)]
    distinct = np.unique(values)
    if len(distinct) == 0:
        return ColumnType(name, "CONSTANT", note="no number in any row")
    if len(distinct) == 1:
        return _single(name, rows - len(values), f"the value is {distinct[0]:g}")
    if len(distinct) == 2 and set(distinct) == {0.0, 1.0}:
        return ColumnType(name, "BOOLEAN")
    if _is_row_number(values, len(distinct), name):
        return ColumnType(name, "IDENTIFIER", number=style, note="a different whole number in every row: it names the row")
    note = f"{unread} values are no numbers and count as missing" if unread else None
    return ColumnType(name, "NUMERIC", number=style, note=note)


def _single(name: str, missing: int, what: str) -> ColumnType:
    """One value: nothing to learn where every row has it, a flag where some rows lack it."""
    if missing == 0:
        return ColumnType(name, "CONSTANT", note=f"{what} in every row")
    return ColumnType(name, "CATEGORICAL", note=f"{what} or nothing: a flag")


def _is_row_number(values: np.ndarray, distinct: int, name: str) -> bool:
    if len(values) < 20 or distinct < len(values) or (values % 1 != 0).any():
        return False
    steps = np.diff(values)
    return bool((steps == steps[0]).all()) or is_named_like_id(name)


def is_named_like_id(name: str) -> bool:
    """Whether a column's name ends as those of keys and row numbers do: customer_id, userId, index."""
    return bool(_NAMED_LIKE_ID.search(name) or _CAMEL_ID.search(name))


def _string_type(counts: dict[str, int], name: str, note: str | None = None) -> ColumnType:
    """Free text has several words and rarely repeats; an identifier is one token and never repeats."""
    sample = list(counts)[:_SAMPLE]
    words = [len(value.split()) for value in sample]
    rows = sum(counts.values())
    share = len(counts) / rows
    wordy = sum(words) >= 3 * len(words) and sum(map(len, sample)) >= 15 * len(sample)
    if rows >= 20 and len(counts) >= 20 and share > 0.3 and wordy:
        return ColumnType(name, "TEXT", note=note)
    if rows >= 20 and share > 0.99 and (max(words) == 1 or is_named_like_id(name)):
        return ColumnType(name, "IDENTIFIER", note="a different value in nearly every row: it names the row")
    return ColumnType(name, "CATEGORICAL", note=note)


def _is_code(sample: list[str]) -> bool:
    """Digits only, some with a zero in front: 007 is a code, 7 a number."""
    zeros = sum(value[:1] == "0" and len(value) > 1 and value.isdecimal() for value in sample)
    return zeros > 0.01 * len(sample) and sum(value.isdecimal() for value in sample) >= _SHARE * len(sample)


def _number_style(sample: list[str], delimiter: str) -> str | None:
    """The way of writing numbers that reads most of the sample; the plain one wins a tie."""

    def share(style: str) -> float:
        return float(np.isfinite(_numbers(sample, style)).mean())

    plain = share("plain")
    if plain == 1.0:
        return "plain"
    # Under a semicolon the comma is the decimal sign: that is why the semicolon is there.
    others = ("decimal-comma", "thousands") if delimiter == ";" else ("thousands", "decimal-comma")
    shares = {"plain": plain} | {style: share(style) for style in others}
    best = max(shares, key=shares.__getitem__)
    return best if shares[best] >= _SHARE else None


def _is_compact_date(values: list[str], numbers: np.ndarray) -> bool:
    if not ((numbers >= 19000101) & (numbers <= 21001231) & (numbers % 1 == 0)).all():
        return False
    return bool(_dates(values, "%Y%m%d").notna().all())


def _date_format(sample: list[str]) -> str | None:
    sample = sample[:1_000]
    if sum(bool(_DATE_LIKE.search(value)) for value in sample) < _SHARE * len(sample):
        return None

    def fits(values: list[str], date: str) -> bool:
        return bool(_dates(values, date).notna().mean() >= _SHARE)

    if sum(value[:4].isdecimal() and value[4:5] == "-" for value in sample) >= _SHARE * len(sample) and fits(sample, _ISO):
        return _ISO
    for time in _TIMES:
        for date in _DATES:
            if fits(sample[:50], date + time) and fits(sample, date + time):
                return date + time
    return None


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:39] + "…")
