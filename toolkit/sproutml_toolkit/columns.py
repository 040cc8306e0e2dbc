"""What a column holds, and how its cells become typed values: decided once on the upload, repeated at prediction."""

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from .table import is_missing

# A column is a number, a date or a boolean when this share of its values reads as one; the rest count as missing.
_SHARE = 0.95
_SAMPLE = 5_000

_TRUE = ("true", "yes", "y", "t", "1", "1.0", "on")
_FALSE = ("false", "no", "n", "f", "0", "0.0", "off")
_BOOLEAN = dict.fromkeys(_TRUE, 1.0) | dict.fromkeys(_FALSE, 0.0)

_DECORATION = r"[\s $€£¥%_]"
_THOUSANDS = r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?|[+-]?\d+(?:\.\d*)?|[+-]?\.\d+"
_DECIMAL_COMMA = r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?|[+-]?\d+(?:,\d*)?|[+-]?,\d+"

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
    present = cells[~is_missing(cells)]
    if len(present) == 0:
        return ColumnType(name, "CONSTANT", note="no value in any row")
    if pd.api.types.is_numeric_dtype(present):
        return _numeric_type(present.astype(float), name, "plain")
    text = present.astype(str).str.strip()
    distinct = text.unique()
    if len(distinct) == 1:
        return ColumnType(name, "CONSTANT", note=f"every value is {_short(distinct[0])}")
    if len(distinct) == 2 and all(value.lower() in _BOOLEAN for value in distinct):
        if {_BOOLEAN[value.lower()] for value in distinct} == {0.0, 1.0}:
            return ColumnType(name, "BOOLEAN")
    sample = pd.Series(distinct[:_SAMPLE])
    if _is_code(sample):
        return _string_type(text, distinct, name, note="digits with leading zeros: kept as codes")
    style = _number_style(sample, delimiter)
    if style is not None:
        numbers = parse_numbers(text, style)
        if numbers.notna().mean() >= _SHARE:
            if style == "plain" and _is_compact_date(text, numbers):
                return ColumnType(name, "DATE", date="%Y%m%d")
            return _numeric_type(numbers, name, style)
    date = _date_format(sample)
    if date is not None and parse_dates(text, date).notna().mean() >= _SHARE:
        ambiguous = date.startswith("%d/%m") and parse_dates(sample, "%m/%d" + date[5:]).notna().all()
        note = "day and month could not be told apart: read as day first" if ambiguous else None
        return ColumnType(name, "DATE", date=date, note=note)
    return _string_type(text, distinct, name)


def number_style(cells: pd.Series, delimiter: str = ",") -> str | None:
    """How a target's numbers are written, or None when its values are classes rather than numbers.

    A few different numbers among other text are class labels; many are numbers with some that can't be read.
    """
    present = cells[~is_missing(cells)]
    if pd.api.types.is_numeric_dtype(present):
        return "plain" if len(present) else None
    distinct = pd.Series(present.astype(str).str.strip().unique())
    if len(distinct) == 0 or _is_code(distinct):
        return None
    style = _number_style(distinct, delimiter)
    if style is None or (len(distinct) <= 20 and not parse_numbers(distinct, style).notna().all()):
        return None
    return style


def typed(cells: pd.Series, column: ColumnType) -> pd.Series:
    """Cells (str, numbers, dates) as the column's typed values: see workspace.Table. What can't be read is missing."""
    missing = is_missing(cells)
    if column.type == "NUMERIC":
        return parse_numbers(cells, column.number).mask(missing)
    if column.type == "BOOLEAN":
        if pd.api.types.is_bool_dtype(cells) or pd.api.types.is_numeric_dtype(cells):
            return cells.astype(float)
        codes, distinct = pd.factorize(cells)
        values = np.array([_BOOLEAN.get(str(value).strip().lower(), np.nan) for value in distinct] + [np.nan])
        return pd.Series(values[codes], index=cells.index).mask(missing)
    if column.type == "DATE":
        return parse_dates(cells, column.date).mask(missing)
    if pd.api.types.is_numeric_dtype(cells) and not pd.api.types.is_bool_dtype(cells):
        # A caller may hand over 3.0 where the file said 3.
        cells = cells.map(lambda value: f"{value:.0f}" if float(value).is_integer() else str(value), na_action="ignore")
    codes, distinct = pd.factorize(cells)
    values = np.array([str(value).strip() for value in distinct] + [None], dtype=object)
    result = values[codes]
    result[missing] = None
    return pd.Series(result, index=cells.index, dtype=object)


def parse_numbers(cells: pd.Series, style: str) -> pd.Series:
    """Cells as float64; what is no number, or not finite, is NaN."""
    if pd.api.types.is_numeric_dtype(cells):
        numbers = cells.astype(float)
    else:
        text = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
        if style == "plain":
            numbers = pd.to_numeric(text, errors="coerce")
        else:
            text = text.str.replace(_DECORATION, "", regex=True)
            pattern = _THOUSANDS if style == "thousands" else _DECIMAL_COMMA
            text = text.where(text.str.fullmatch(pattern), "")
            if style == "thousands":
                text = text.str.replace(",", "", regex=False)
            else:
                text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
            numbers = pd.to_numeric(text, errors="coerce")
        # Integers beyond 64 bits come back as Python objects.
        numbers = numbers.astype(float)
    return numbers.where(np.isfinite(numbers))


def parse_dates(cells: pd.Series, date: str) -> pd.Series:
    """Cells as datetime64 in UTC without a zone; what is no date of this format is NaT."""
    if pd.api.types.is_datetime64_any_dtype(cells):
        return pd.to_datetime(cells, utc=True).dt.tz_localize(None).astype("datetime64[us]")
    text = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
    if date == "%Y%m%d":
        text = text.str.removesuffix(".0")
    parsed = pd.to_datetime(text, format=date, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).astype("datetime64[us]")


def _numeric_type(numbers: pd.Series, name: str, style: str) -> ColumnType:
    values = numbers.dropna()
    values = values[np.isfinite(values)]
    distinct = values.nunique()
    if distinct <= 1:
        return ColumnType(name, "CONSTANT", note="every value is the same number")
    if distinct == 2 and set(values.unique()) == {0.0, 1.0}:
        return ColumnType(name, "BOOLEAN")
    if _is_row_number(values, distinct, name):
        return ColumnType(name, "IDENTIFIER", number=style, note="a different whole number in every row: it names the row")
    unread = int(numbers.isna().sum())
    note = f"{unread} values are no numbers and count as missing" if unread else None
    return ColumnType(name, "NUMERIC", number=style, note=note)


def _is_row_number(values: pd.Series, distinct: int, name: str) -> bool:
    if len(values) < 20 or distinct < len(values) or (values % 1 != 0).any():
        return False
    steps = np.diff(values.to_numpy())
    counts_rows = bool((steps == steps[0]).all())
    return counts_rows or _is_named_like_id(name)


def _is_named_like_id(name: str) -> bool:
    return bool(_NAMED_LIKE_ID.search(name) or _CAMEL_ID.search(name))


def _string_type(text: pd.Series, distinct: np.ndarray, name: str, note: str | None = None) -> ColumnType:
    """Free text has several words and rarely repeats; an identifier is one token and never repeats."""
    sample = pd.Series(distinct[:_SAMPLE])
    words = sample.str.split().str.len()
    share = len(distinct) / len(text)
    if len(text) >= 20 and len(distinct) >= 20 and share > 0.3 and words.mean() >= 3 and sample.str.len().mean() >= 15:
        return ColumnType(name, "TEXT", note=note)
    if len(text) >= 20 and share > 0.99 and (words.max() == 1 or _is_named_like_id(name)):
        return ColumnType(name, "IDENTIFIER", note="a different value in nearly every row: it names the row")
    return ColumnType(name, "CATEGORICAL", note=note)


def _is_code(sample: pd.Series) -> bool:
    digits = sample.str.fullmatch(r"\d+")
    return bool(digits.mean() >= _SHARE and sample.str.fullmatch(r"0\d+").mean() > 0.01)


def _number_style(sample: pd.Series, delimiter: str) -> str | None:
    """The way of writing numbers that reads most of the sample; the plain one wins a tie."""
    # Under a semicolon the comma is the decimal sign: that is why the semicolon is there.
    order = ("plain", "decimal-comma", "thousands") if delimiter == ";" else ("plain", "thousands", "decimal-comma")
    shares = {style: float(parse_numbers(sample, style).notna().mean()) for style in order}
    best = max(order, key=lambda style: (shares[style], -order.index(style)))
    return best if shares[best] >= _SHARE else None


def _is_compact_date(text: pd.Series, numbers: pd.Series) -> bool:
    if not numbers.between(19000101, 21001231).all() or not (numbers % 1 == 0).all():
        return False
    return bool(parse_dates(text, "%Y%m%d").notna().all())


def _date_format(sample: pd.Series) -> str | None:
    sample = sample.head(1_000)
    if not sample.str.contains(r"\d[-/. :]|[A-Za-z]{3}[ -]\d|\d[A-Za-z]{3}\d", regex=True).mean() >= _SHARE:
        return None
    if sample.str.fullmatch(r"\d{4}-\d.*").mean() >= _SHARE and parse_dates(sample, _ISO).notna().mean() >= _SHARE:
        return _ISO
    probe = sample.head(50)
    for time in _TIMES:
        for date in _DATES:
            if parse_dates(probe, date + time).notna().mean() >= _SHARE:
                if parse_dates(sample, date + time).notna().mean() >= _SHARE:
                    return date + time
    return None


def _short(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:39] + "…")

