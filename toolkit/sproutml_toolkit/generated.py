"""Columns made from columns: what a tree can only approach in many steps it gets in one.

Differences, products and ratios of the numbers that matter most, and the target's mean over the categories that matter most
and over their pairs (see target_means). Which matter is asked of a small LightGBM on the training rows.

Source: the pairs and encodings of Zhang et al., OpenFE (2023), without its search.
"""

from itertools import combinations

import lightgbm
import numpy as np
import pandas as pd
from sklearn.preprocessing import TargetEncoder

from .features import FeatureEncoder, Matrix
from .target_means import learn_target_means

_NUMBERS, _CATEGORIES = 6, 5
_CHOICE_ROUNDS, _CHOICE_ROWS = 40, 50_000
# One column per class for each encoded category or pair: with many classes the pairs are left out.
_MOST_ENCODED = 60
_UNKNOWN = -1.0


class GeneratingEncoder:
    """A native FeatureEncoder whose matrix has the generated columns behind its own. Fitted on a fold's training part."""

    def __init__(self, encoder: FeatureEncoder) -> None:
        self.encoder = encoder
        self._pairs: list[tuple[int, int]] = []
        self._keys: list[tuple[int, ...]] = []
        self._means: TargetEncoder | None = None

    def fit_transform(self, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray | None = None) -> Matrix:
        """Choose what to generate, and return the training rows' matrix. groups: (n,) those to be kept whole, if any."""
        matrix = self.encoder.fit_transform(X, y, groups)
        gains = self._gains(matrix, y)
        ranked = [int(column) for column in np.argsort(-gains, kind="stable")]
        numbers = [column for column in ranked if column not in matrix.categorical][:_NUMBERS]
        categories = [column for column in ranked if column in matrix.categorical][:_CATEGORIES]
        self._pairs = list(combinations(sorted(numbers), 2))
        self._keys = _keys(sorted(categories), 1 if self.encoder.task != "MULTICLASS" else len(np.unique(y)))
        means = None
        if self._keys and len(np.unique(y)) > 1:
            self._means, means = learn_target_means(self._codes(matrix), y, groups, self.encoder.task, self.encoder.seed)
        return self._with(matrix, means)

    def transform(self, X: pd.DataFrame) -> Matrix:
        """The matrix of other rows."""
        matrix = self.encoder.transform(X)
        return self._with(matrix, None if self._means is None else self._means.transform(self._codes(matrix)))

    def _with(self, matrix: Matrix, means: np.ndarray | None) -> Matrix:
        parts = [matrix.values, *_arithmetic(matrix.values, self._pairs)]
        if means is not None:
            parts.append(means.astype(np.float32))
        return Matrix(np.column_stack(parts), matrix.categorical)

    def _codes(self, matrix: Matrix) -> np.ndarray:
        """(n, keys) one number for each category or pair of categories."""
        known = np.where(np.isnan(matrix.values), _UNKNOWN, matrix.values).astype(np.float64) + 1
        columns = []
        for key in self._keys:
            code = np.zeros(len(known))
            for column in key:
                code = code * 10_000 + known[:, column]
            columns.append(code)
        return np.column_stack(columns)

    def _gains(self, matrix: Matrix, y: np.ndarray) -> np.ndarray:
        """(width,) how much each column helps a few trees."""
        rows = slice(None, None, -(-len(y) // _CHOICE_ROWS))
        task, classes = self.encoder.task, len(np.unique(y))
        objective = {"REGRESSION": "regression", "BINARY": "binary", "MULTICLASS": "multiclass"}[task]
        options = {
            "objective": objective,
            "verbosity": -1,
            "num_threads": 1,
            "seed": self.encoder.seed,
            "deterministic": True,
            "force_row_wise": True,
        } | ({"num_class": classes} if task == "MULTICLASS" else {})
        data = lightgbm.Dataset(matrix.values[rows], y[rows], categorical_feature=matrix.categorical, params=options)
        booster = lightgbm.train(options, data, _CHOICE_ROUNDS)
        return booster.feature_importance("gain")


def _keys(categories: list[int], columns_each: int) -> list[tuple[int, ...]]:
    """Categories and, where that does not make too many columns, their pairs."""
    alone: list[tuple[int, ...]] = [(column,) for column in categories]
    both = alone + list(combinations(categories, 2))
    return both if len(both) * columns_each <= _MOST_ENCODED else alone


def _arithmetic(values: np.ndarray, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """(n,) float32 columns; what is not finite is missing."""
    columns = []
    with np.errstate(all="ignore"):
        for left, right in pairs:
            a, b = values[:, left], values[:, right]
            columns += [a - b, a * b, a / b]
    return [np.where(np.isfinite(column), column, np.float32(np.nan)) for column in columns]
