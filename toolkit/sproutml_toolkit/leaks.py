"""Columns that alone all but give the target away: more often known too late, or a copy of the target, than luck.

Each column alone is made to predict one half of the rows from the other, as a small tree (numbers, dates) or by its values'
means (the rest), and judged by how well it ranks them: the normalised Gini, 2 AUC - 1, of Guyon et al.'s challenges.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .inner_split import deal_inside, kept_whole
from .metrics import score
from .workspace import Table

#: Guyon's Gini from which a column is all but the target, and from which it says more than is common.
_NEAR_PERFECT, _STRONG = 0.975, 0.85
#: A strong column is worth a warning where the next one leaves so many times as much untold. Honest columns seldom stand alone: on
#: diamonds carat (0.96) and three sizes (0.95) tell the price, on moneyball two averages (0.89, 0.87) the runs.
_STANDS_ALONE = 2.0
_FEWEST_ROWS, _MOST_ROWS = 100, 4_000
_MOST_COLUMNS = 500
_LEAVES, _ROWS_PER_LEAF = 64, 5


@dataclass(frozen=True)
class Suspicion:
    """A column that may give the target away. strength: its Gini, 1 at most. likely: near-perfect, else merely far ahead."""

    name: str
    strength: float
    likely: bool


def strengths(train: Table, names: list[str], task: str, n_classes: int, seed: int) -> dict[str, float]:
    """The Gini (for values: a rank correlation) that each of `names` alone reaches on rows it was not fitted on.

    Judged on 4,000 rows at most; tables of under 100 rows can't tell, and of over 500 columns the first 500 are looked at.
    """
    if len(train) < _FEWEST_ROWS:
        return {}
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(train))[:_MOST_ROWS])
    X, y = train.X.iloc[rows], train.y[rows]
    # By whole groups or stretches of time, where there are some: what names one would tell its own rows' target.
    whole = kept_whole(train)
    half = deal_inside(np.zeros(len(y)) if task == "REGRESSION" else y, None if whole is None else whole[rows], 2, rng) == 0
    return {name: _strength(X[name], y, half, task, n_classes) for name in names[:_MOST_COLUMNS]}


def suspects(found: dict[str, float]) -> list[Suspicion]:
    """Those of the columns in `strengths` to be looked at, the strongest first."""
    ordered = sorted(found, key=lambda name: -found[name])
    likely = [name for name in ordered if found[name] >= _NEAR_PERFECT]
    suspicions = [Suspicion(name, found[name], likely=True) for name in likely]
    if likely or len(ordered) < 2 or found[ordered[0]] < _STRONG:
        return suspicions
    first, second = (found[name] for name in ordered[:2])
    return [Suspicion(ordered[0], first, likely=False)] if 1 - second >= _STANDS_ALONE * (1 - first) else []


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
