"""From raw typed columns to a matrix of numbers. Every encoder is fitted on the training part of one fold only.

Three forms, by what a family can use:
- `native`: numbers with NaN, categories as codes in columns the booster knows to be categorical;
- `ordinal`: numbers with NaN for scikit-learn's trees; small categories one-hot, large ones by frequency and target;
- `dense`: no NaN, scaled: medians and missing flags, one-hot, target encoding.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import QuantileTransformer, TargetEncoder

from .screening import kept_width, strengths
from .target_means import learn_target_means
from .texts import WordTopics

FORMS = ("native", "ordinal", "dense")
_SMALL_CARDINALITY = 10
_MAX_ONE_HOT = 30
_NATIVE_CATEGORIES = 1_000
_TEXT_COMPONENTS = 16
_LARGEST = 1e18
_DAY = np.timedelta64(1, "D")


@dataclass
class Matrix:
    """values: (n, width) float32. categorical: positions of columns that hold category codes (NaN is unseen or missing)."""

    values: np.ndarray
    categorical: list[int]


@dataclass
class _Column:
    """What was learnt about one raw column."""

    name: str
    kind: str
    counted: bool = False
    categories: dict[str, int] = field(default_factory=dict)
    frequencies: np.ndarray | None = None
    vectorizer: TfidfVectorizer | None = None
    components: TruncatedSVD | None = None
    topics: WordTopics | None = None


class FeatureEncoder:
    """Fits on (X, y) of a fold's training part, then turns any rows of the same schema into a Matrix.

    features: the plan's entries (name, kind, counted: see texts). form: one of FORMS. first_look: see screening. `y` is used by
    the target encoding of large categories, whose training rows get theirs out of inner parts (see target_means), and by
    screening.
    """

    def __init__(self, features: list[dict[str, Any]], form: str, task: str, seed: int, first_look: bool = False) -> None:
        self.first_look = first_look
        self.form = form
        self.task = task
        self.seed = seed
        self._columns = [_Column(entry["name"], entry["kind"], bool(entry.get("counted"))) for entry in features]
        self._target_encoder: TargetEncoder | None = None
        self._scaler: _Scaler | None = None
        self.names: list[str] = []

    def fit_transform(self, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray | None = None) -> Matrix:
        """Learn from the training rows and return their matrix. groups: (n,) those to be kept whole, if any."""
        for column in self._columns:
            self._fit_column(column, X[column.name])
        parts = self._screened(self._parts(X), y)
        blocks, names, categorical = self._blocks(parts)
        large = self._large_categories(X)
        if large is not None and len(np.unique(y)) > 1:
            self._target_encoder, encoded = learn_target_means(large, y, groups, self.task, self.seed)
            blocks.append(encoded)
            names.extend(f"target encoding {i}" for i in range(encoded.shape[1]))
        self.names = names
        return self._finish(blocks, categorical, fit=True)

    def transform(self, X: pd.DataFrame) -> Matrix:
        """The matrix of other rows; categories not seen in training count as missing, their frequency is 0."""
        blocks, _, categorical = self._blocks(self._parts(X))
        if self._target_encoder is not None:
            blocks.append(self._target_encoder.transform(self._large_categories(X)))
        return self._finish(blocks, categorical, fit=False)

    def _finish(self, blocks: list[np.ndarray], categorical: list[int], fit: bool) -> Matrix:
        # Beyond this, float32 has no finite squares.
        with np.errstate(over="ignore"):
            values = np.column_stack([block.astype(np.float32) for block in blocks])
        np.clip(values, -_LARGEST, _LARGEST, out=values)
        if self.form == "dense":
            if fit:
                self._scaler = _Scaler(self.seed).fit(values)
            values = self._scaler.transform(values)
        return Matrix(values, categorical)

    def _fit_column(self, column: _Column, values: pd.Series) -> None:
        if column.kind == "category":
            counts = values.dropna().value_counts()
            # Most frequent first, ties by text: the codes never depend on the order of rows.
            ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:_NATIVE_CATEGORIES]
            column.categories = {str(label): code for code, (label, _) in enumerate(ordered)}
            column.frequencies = np.array([count for _, count in ordered] + [0], dtype=float) / max(len(values), 1)
        elif column.kind == "text":
            self._fit_text(column, values)

    def _fit_text(self, column: _Column, values: pd.Series) -> None:
        if column.counted:
            column.topics = WordTopics(_TEXT_COMPONENTS, self.seed).fit(values)
            return
        texts = values.fillna("").astype(str)
        vectorizer = TfidfVectorizer(
            max_features=5_000, min_df=2 if len(texts) < 10_000 else 5, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32
        )
        try:
            tfidf = vectorizer.fit_transform(texts)
        except ValueError:
            # No word appears twice: only the lengths can say something.
            return
        column.vectorizer = vectorizer
        width = min(_TEXT_COMPONENTS, tfidf.shape[1] - 1, tfidf.shape[0] - 1)
        if width >= 1:
            column.components = TruncatedSVD(width, n_iter=3, random_state=self.seed).fit(tfidf)

    def _parts(self, X: pd.DataFrame) -> list[tuple[np.ndarray, list[str]]]:
        """For each column its (n, width) numbers and what they are."""
        return [self._part(column, X[column.name]) for column in self._columns]

    def _part(self, column: _Column, values: pd.Series) -> tuple[np.ndarray, list[str]]:
        if column.kind in ("number", "flag"):
            return values.to_numpy(dtype=float)[:, None], [""]
        if column.kind == "date parts":
            return _date_parts(values)
        if column.kind == "text":
            return _text_parts(column, values)
        return self._category_parts(column, values)

    def _screened(self, parts: list[tuple[np.ndarray, list[str]]], y: np.ndarray) -> list[tuple[np.ndarray, list[str]]]:
        """The parts of the columns that are kept, all but on very wide tables; the others are forgotten."""
        widths = np.array([block.shape[1] for block, _ in parts])
        most = kept_width(int(widths.sum()), len(y), self.first_look)
        if most >= widths.sum():
            return parts
        blocks, _, categorical = self._blocks(parts)
        found = strengths(np.column_stack(blocks).astype(np.float32), categorical, y, self.task, self.seed)
        strongest = np.maximum.reduceat(found, np.cumsum(widths) - widths)
        order = np.argsort(-strongest, kind="stable")
        kept = np.sort(order[np.cumsum(widths[order]) <= most])
        self._columns = [self._columns[place] for place in kept]
        return [parts[place] for place in kept]

    def _blocks(self, parts: list[tuple[np.ndarray, list[str]]]) -> tuple[list[np.ndarray], list[str], list[int]]:
        """The parts' numbers, their names, and which positions hold category codes."""
        blocks: list[np.ndarray] = []
        names: list[str] = []
        categorical: list[int] = []
        for column, (block, labels) in zip(self._columns, parts, strict=True):
            if column.kind == "category" and self.form == "native":
                categorical.append(len(names))
            blocks.append(block)
            names.extend(f"{column.name} {label}".strip() for label in labels)
        return blocks, names, categorical

    def _category_parts(self, column: _Column, values: pd.Series) -> tuple[np.ndarray, list[str]]:
        codes = _codes(column, values)
        if self.form == "native":
            return np.where(codes < 0, np.nan, codes)[:, None], [""]
        size = len(column.categories)
        if size > (_SMALL_CARDINALITY if self.form == "ordinal" else _MAX_ONE_HOT):
            frequency = column.frequencies[codes]
            return frequency[:, None], ["frequency"]
        hot = np.zeros((len(codes), size + 1))
        hot[np.arange(len(codes)), codes] = 1.0
        return hot, [f"is {label}" for label in column.categories] + ["is missing or new"]

    def _large_categories(self, X: pd.DataFrame) -> np.ndarray | None:
        """(n, large categorical columns) codes for the target encoder, or None when there is none."""
        if self.form == "native":
            return None
        large = [
            _codes(column, X[column.name])
            for column in self._columns
            if column.kind == "category" and len(column.categories) > _SMALL_CARDINALITY
        ]
        return np.column_stack(large) if large else None


class _Scaler:
    """Medians for gaps and a flag for each column that has some; every continuous column standardized, and once more
    by quantiles to a normal shape, which tames long tails. Columns of two values, as flags and one-hots are, become 0 and 1."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, values: np.ndarray) -> "_Scaler":
        known = np.isfinite(values)
        self.gappy = np.flatnonzero(~known.all(axis=0) & known.any(axis=0))
        self.medians = np.array(
            [np.median(values[known[:, i], i]) if known[:, i].any() else 0.0 for i in range(values.shape[1])],
            dtype=np.float32,
        )
        filled = np.where(known, values, self.medians)
        self.continuous = np.array([len(np.unique(filled[:, i])) > 2 for i in range(values.shape[1])], dtype=bool)
        pairs = filled[:, ~self.continuous]
        self.low, self.span = pairs.min(axis=0), np.ptp(pairs, axis=0)
        self.span[self.span == 0] = 1.0
        if self.continuous.any():
            quantiles = int(min(max(len(values) // 30, 10), 1_000, len(values)))
            self.shape = QuantileTransformer(
                n_quantiles=quantiles, output_distribution="normal", subsample=100_000, random_state=self.seed
            ).fit(filled[:, self.continuous])
        self.mean = filled[:, self.continuous].mean(axis=0, dtype=np.float64)
        self.scale = filled[:, self.continuous].std(axis=0, dtype=np.float64) + 1e-9
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        known = np.isfinite(values)
        filled = np.where(known, values, self.medians)
        flags = (~known[:, self.gappy]).astype(np.float32)
        result = filled.copy()
        # Two years are far from 0, and a third one is no further from them than they are from each other.
        result[:, ~self.continuous] = np.clip((filled[:, ~self.continuous] - self.low) / self.span, -1.0, 2.0)
        extra = np.empty((len(values), 0), dtype=np.float32)
        if self.continuous.any():
            part = filled[:, self.continuous]
            # Both views: the linear one keeps distances in the middle, the quantile one survives outliers.
            result[:, self.continuous] = np.clip((part - self.mean) / self.scale, -5.0, 5.0)
            extra = np.clip(self.shape.transform(part), -3.0, 3.0).astype(np.float32)
        return np.column_stack([result, extra, flags]).astype(np.float32)


def _codes(column: _Column, values: pd.Series) -> np.ndarray:
    """(n,) category codes; -1, which also indexes the last place of a table, for missing and unseen."""
    places, distinct = pd.factorize(values)
    codes = np.array([column.categories.get(str(label), -1) for label in distinct] + [-1], dtype=np.int64)
    return codes[places]


def _date_parts(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    dates = pd.to_datetime(values)
    elapsed = (dates - pd.Timestamp("2000-01-01")) / _DAY
    parts = [dates.dt.year, dates.dt.month, dates.dt.day, dates.dt.day_of_week, dates.dt.hour, elapsed]
    block = np.column_stack([part.to_numpy(dtype=float, na_value=np.nan) for part in parts])
    return block, ["year", "month", "day", "weekday", "hour", "days elapsed"]


def _text_parts(column: _Column, values: pd.Series) -> tuple[np.ndarray, list[str]]:
    labels = ["length", "words"]
    if column.topics is not None:
        block = column.topics.transform(values)
        return block, labels + [f"topic {i + 1}" for i in range(block.shape[1] - 2)]
    texts = values.fillna("").astype(str)
    lengths = np.column_stack([texts.str.len().to_numpy(float), texts.str.split().str.len().to_numpy(float)])
    if column.components is None or column.vectorizer is None:
        return lengths, labels
    topics = column.components.transform(column.vectorizer.transform(texts))
    return np.column_stack([lengths, topics]), labels + [f"topic {i + 1}" for i in range(topics.shape[1])]
