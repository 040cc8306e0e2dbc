"""LINEAR: logistic regression, ridge, or a regression of the median or a quantile, on scaled, one-hot features.

Parameters: `C` for classes, `alpha` for values (None: chosen inside the training part, on inner folds), `max_iter`, `logarithm`
(None: whether values are learnt as logarithms is chosen too, see logarithm.py).
"""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

from ..features import FeatureEncoder, Matrix
from ..inner_split import deal_inside
from ..metrics import score
from .absolute import aim_of, fenced, linear_quantile
from .fold import Fold
from .logarithm import Logarithm, choose_logarithm
from .ridge import ridge_answers

DEFAULTS: dict[str, Any] = {"C": None, "alpha": None, "max_iter": 500, "logarithm": None}
STOPS_EARLY = False

_C = (0.01, 0.05, 0.25, 1.0, 5.0)
_CHOICE_ITERATIONS = 100
_ALPHA = tuple(float(value) for value in np.logspace(-2, 4, 13))
_CHOICE_ROWS = 10_000
_PARTS = 4


class LinearEstimator:
    """A fitted logistic regression or linear one, of values or of their logarithms."""

    def __init__(self, model: Any, classification: bool, logarithm: Logarithm | None = None) -> None:
        self.model = model
        self.classification = classification
        self.logarithm = logarithm

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        values = matrix.values.astype(np.float64)
        if self.classification:
            return self.model.predict_proba(values)
        answers = self.model.predict(values)
        return answers if self.logarithm is None else self.logarithm.values(answers)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, LinearEstimator, dict[str, Any]]:
    """Choose the penalty on inner folds unless it is given, then fit on the whole training part."""
    encoder, train, _ = fold.encode("dense")
    values = train.values.astype(np.float64)
    if not fold.is_classification:
        logarithm = choose_logarithm(values, fold, parameters["logarithm"])
        fold = logarithm.learnt(fold) if logarithm else fold
        tame = fenced(fold.metric, fold.y_train)
        alpha = parameters["alpha"]
        if alpha is None:
            alpha = _choose_alpha(values, tame, fold)
        model = Ridge(alpha=alpha).fit(values, tame)
        aim = aim_of(fold.metric, fold.y_train)
        if aim is not None:
            model.coef_, model.intercept_ = linear_quantile(values, fold.y_train, aim, alpha, model.coef_, model.intercept_)
        return encoder, LinearEstimator(model, False, logarithm), {"alpha": alpha, "logarithm": logarithm is not None}
    iterations = int(parameters["max_iter"])
    C = parameters["C"]
    if C is None:
        C = _choose_c(values, fold)
    return encoder, LinearEstimator(_logistic(values, fold.y_train, C, iterations), True), {"C": C, "max_iter": iterations}


def _choose_alpha(values: np.ndarray, y: np.ndarray, fold: Fold) -> float:
    """The penalty with the least squared error on rows left out one by one, or by whole groups where there are some."""
    if fold.groups is None:
        return float(RidgeCV(alphas=_ALPHA).fit(values, y).alpha_)
    numbers = deal_inside(np.zeros(len(y)), fold.groups, _PARTS, np.random.default_rng(fold.seed))
    errors = np.zeros(len(_ALPHA))
    for number in np.unique(numbers):
        held = numbers == number
        answers = ridge_answers(values[~held], y[~held], values[held], _ALPHA)
        errors += ((answers - y[held][:, None]) ** 2).sum(axis=0)
    return _ALPHA[int(errors.argmin())]


def _choose_c(values: np.ndarray, fold: Fold) -> float:
    """The penalty with the least log loss on one inner part in four, on all four when rows are few."""
    rng = np.random.default_rng(fold.seed)
    y, groups = fold.y_train, fold.groups
    if len(y) > _CHOICE_ROWS:
        chosen = np.sort(rng.permutation(len(y))[:_CHOICE_ROWS])
        values, y, groups = values[chosen], y[chosen], None if groups is None else groups[chosen]
    numbers = deal_inside(y, groups, _PARTS, rng)
    losses = np.zeros(len(_C))
    for number in np.unique(numbers) if len(y) <= 1_000 else [0]:
        held = numbers == number
        classes = np.unique(y[~held])
        known = held & np.isin(y, classes)
        if len(classes) < 2 or not known.any():
            continue
        for position, C in enumerate(_C):
            model = _logistic(values[~held], y[~held], C, _CHOICE_ITERATIONS)
            losses[position] += score("LOG_LOSS", np.searchsorted(classes, y[known]), model.predict_proba(values[known]))
    return _C[int(losses.argmin())]


def _logistic(values: np.ndarray, y: np.ndarray, C: float, iterations: int) -> LogisticRegression:
    with warnings.catch_warnings():
        # A fit cut at max_iter is a little more regular, no worse: its score says whether it is of use.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=C, max_iter=iterations).fit(values, y)
