"""Columns that alone all but give the target away: more often known too late, or a copy of the target, than luck.

Each column alone is made to predict one half of the rows from the other, as a small tree (numbers, dates) or by its values'
means (the rest), and judged by how well it ranks them: the normalised Gini, 2 AUC - 1, of Guyon et al.'s challenges.
"""

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .metrics import score
from .split import deal_folds
from .workspace import Table

_SUSPICIOUS = 0.975
_FEWEST_ROWS, _MOST_ROWS = 100, 4_000
_MOST_COLUMNS = 500
_LEAVES, _ROWS_PER_LEAF = 64, 5


def suspects(train: Table, names: list[str], task: str, n_classes: int, seed: int) -> list[str]:
    """Those of `names` that alone reach a Gini of 0.975 (for values: a rank correlation) on rows they were not fitted on.

    Judged on 4,000 rows at most; tables of under 100 rows can't tell, and of over 500 columns the first 500 are looked at.
    """
    if len(train) < _FEWEST_ROWS:
        return []
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(train))[:_MOST_ROWS])
    X, y = train.X.iloc[rows], train.y[rows]
    half = deal_folds(np.zeros(len(y)) if task == "REGRESSION" else y, 2, rng) == 0
    return [name for name in names[:_MOST_COLUMNS] if _strength(X[name], y, half, task, n_classes) >= _SUSPICIOUS]


def _strength(values: pd.Series, y: np.ndarray, half: np.ndarray, task: str, n_classes: int) -> float:
    found = []
    for fitted in (half, ~half):
        told = _told(values, y, fitted, n_classes if task != "REGRESSION" else 0)
        held = ~fitted
        if task == "REGRESSION":
            pairs = pd.DataFrame({"told": told[:, 0], "real": y[held]})
            found.append(pairs.corr("spearman").iloc[0, 1] if told.std() > 0 else 0.0)
        else:
            found.append(2 * score("ROC_AUC", y[held], told) - 1)
    return float(np.nan_to_num(np.mean(found)))


def _told(values: pd.Series, y: np.ndarray, fitted: np.ndarray, n_classes: int) -> np.ndarray:
    """(held rows, n_classes) shares or (held rows, 1) means that the column alone tells of the rows not fitted on."""
    wanted = np.eye(n_classes)[y] if n_classes else y[:, None].astype(float)
    if pd.api.types.is_datetime64_any_dtype(values):
        values = values.astype("int64").where(values.notna()).astype(float)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        column = values.to_numpy(dtype=float)[:, None]
        if n_classes == 0:
            tree = DecisionTreeRegressor(max_leaf_nodes=_LEAVES, min_samples_leaf=_ROWS_PER_LEAF, random_state=0)
            return tree.fit(column[fitted], y[fitted]).predict(column[~fitted])[:, None]
        tree = DecisionTreeClassifier(max_leaf_nodes=_LEAVES, min_samples_leaf=_ROWS_PER_LEAF, random_state=0)
        told = np.zeros(((~fitted).sum(), n_classes))
        tree.fit(column[fitted], y[fitted])
        told[:, tree.classes_] = tree.predict_proba(column[~fitted])
        return told
    places, _ = pd.factorize(values, use_na_sentinel=False)
    prior = wanted[fitted].mean(axis=0)
    # Each value's mean, with one row's worth of the mean of all: a value seen once says little.
    sums = np.tile(prior, (places.max() + 1, 1))
    np.add.at(sums, places[fitted], wanted[fitted])
    counts = 1 + np.bincount(places[fitted], minlength=len(sums))
    return (sums / counts[:, None])[places[~fitted]]
