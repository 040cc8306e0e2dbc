"""KERNEL: ridge regression, or its least-squares classifier, with a Gaussian kernel on scaled, one-hot features.

It learns smooth surfaces, which trees cut into steps and straight lines miss: strong on small tables of measured numbers. Width and
penalty are chosen by leaving each row out, which ridge regression answers in closed form (or quarters of the groups, where there
are some); probabilities of classes are a logistic regression on those left-out answers.

Parameters: `gamma` (inverse width of the kernel, times the number of features; None: chosen), `alpha` (penalty; None: chosen),
`landmarks` (most training rows whose kernels are features), `logarithm` (None: whether values are learnt as logarithms is chosen
too, see logarithm.py).

Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), 5.4.2 on leaving one out and 6.5 on least-squares
classification; Williams & Seeger, Using the Nystroem Method to Speed Up Kernel Machines (2001), on landmarks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import eigh
from sklearn.linear_model import LogisticRegression

from ..features import FeatureEncoder, Matrix
from ..inner_split import deal_inside
from ..sampling import some_of
from .absolute import aim_of, fenced, linear_quantile
from .fold import Fold
from .logarithm import Logarithm, choose_logarithm

DEFAULTS: dict[str, Any] = {"gamma": None, "alpha": None, "landmarks": 1_000, "logarithm": None}
STOPS_EARLY = False

_GAMMAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_ALPHAS = tuple(float(value) for value in np.logspace(-4, 2, 13))
# The width is chosen with fewer landmarks: where it lies does not hang on their number.
_CHOICE_LANDMARKS = 300
_CHOICE_ROWS = 3_000
_PARTS = 4
# Each keeps a thousand features: beyond this many rows it would cost more memory than it tells.
_MOST_ROWS = 20_000
_LEAST_EIGENVALUE = 1e-7
_ROWS_AT_ONCE = 4_096
# Of the range of values seen in training: further off nothing is known.
_MARGIN = 0.1


class KernelFeatures:
    """Nystroem's features of rows: their kernels with the landmarks, made orthonormal."""

    def __init__(self, landmarks: np.ndarray, gamma: float) -> None:
        self.landmarks, self.gamma = landmarks, gamma
        values, vectors = eigh(self._kernel(landmarks))
        kept = values > _LEAST_EIGENVALUE * values[-1]
        self.mixing = vectors[:, kept] / np.sqrt(values[kept])

    def of(self, rows: np.ndarray) -> np.ndarray:
        """(n, p) rows to (n, m) features."""
        return self._kernel(rows) @ self.mixing

    def _kernel(self, rows: np.ndarray) -> np.ndarray:
        squares = (rows**2).sum(axis=1)[:, None] + (self.landmarks**2).sum(axis=1) - 2.0 * rows @ self.landmarks.T
        return np.exp(-self.gamma / max(rows.shape[1], 1) * np.maximum(squares, 0.0))


class KernelEstimator:
    """A fitted ridge regression on kernel features; of classes with what turns its answers into probabilities."""

    calibration: LogisticRegression | None = None
    logarithm: Logarithm | None = None
    low, high = -np.inf, np.inf

    def __init__(self, features: KernelFeatures, slopes: np.ndarray, intercept: np.ndarray) -> None:
        self.features, self.slopes, self.intercept = features, slopes, intercept

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        answers = np.empty((len(matrix.values), len(self.intercept)))
        for start in range(0, len(answers), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            answers[rows] = self.features.of(matrix.values[rows].astype(float)) @ self.slopes + self.intercept
        if self.calibration is not None:
            # A logistic regression refuses tables without rows.
            return self.calibration.predict_proba(answers) if len(answers) else answers[:, : len(self.calibration.classes_)]
        values = np.clip(answers[:, 0], self.low, self.high)
        return values if self.logarithm is None else self.logarithm.values(values)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, KernelEstimator, dict[str, Any]]:
    """Choose width and penalty by leaving rows out, unless they are given, then fit on the whole training part."""
    encoder, train, _ = fold.encode("dense")
    rows = np.arange(len(train.values))
    if len(rows) > _MOST_ROWS:
        rows = some_of(rows, _MOST_ROWS, fold.seed, fold.y_train if fold.is_classification else None)
        fold.notes.append(f"it learns from {len(rows):,} of the training rows")
    values, y = train.values[rows].astype(float), fold.y_train[rows]
    groups = None if fold.groups is None else fold.groups[rows]
    logarithm = choose_logarithm(values, replace(fold, y_train=y, groups=groups), parameters["logarithm"])
    metric = fold.metric
    if logarithm:
        metric, y = logarithm.learnt(fold).metric, logarithm.of(y)
    targets = np.eye(fold.n_classes)[y] if fold.is_classification else fenced(metric, y)[:, None].astype(float)

    rng = np.random.default_rng(fold.seed)
    landmarks = rng.permutation(len(values))
    parts = None if groups is None else deal_inside(y if fold.is_classification else np.zeros(len(y)), groups, _PARTS, rng)
    gamma = parameters["gamma"]
    if gamma is None:
        some = landmarks[:_CHOICE_ROWS]
        gamma = _choose_gamma(values[some], targets[some], None if parts is None else parts[some])
    features = KernelFeatures(values[np.sort(landmarks[: max(int(parameters["landmarks"]), 1)])], float(gamma))
    seen = features.of(values)
    alpha, slopes, intercept, left_out = _ridge(seen, targets, parameters["alpha"], parts)
    estimator = KernelEstimator(features, slopes, intercept)
    if fold.is_classification:
        estimator.calibration = LogisticRegression(C=10.0, max_iter=300).fit(left_out, y)
    else:
        aim = aim_of(metric, y)
        if aim is not None:
            line, constant = linear_quantile(seen, y, aim, alpha, slopes[:, 0], float(intercept[0]))
            estimator.slopes, estimator.intercept = line[:, None], np.array([constant])
        margin = _MARGIN * float(np.ptp(targets))
        estimator.low, estimator.high = float(targets.min()) - margin, float(targets.max()) + margin
        estimator.logarithm = logarithm
    return encoder, estimator, dict(parameters) | {"gamma": float(gamma), "alpha": alpha, "logarithm": logarithm is not None}


def _choose_gamma(values: np.ndarray, targets: np.ndarray, parts: np.ndarray | None) -> float:
    """The width with the least squared error on left-out rows."""

    def error(gamma: float) -> float:
        *_, left_out = _ridge(KernelFeatures(values[:_CHOICE_LANDMARKS], gamma).of(values), targets, None, parts)
        return float(((targets - left_out) ** 2).mean())

    return min(_GAMMAS, key=error)


@dataclass
class _Decomposed:
    """A ridge regression of (n, k) targets on (n, m) features, to be solved for any penalty."""

    centre: np.ndarray
    middle: np.ndarray
    squares: np.ndarray
    vectors: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, targets: np.ndarray) -> "_Decomposed":
        centre, middle = features.mean(axis=0), targets.mean(axis=0)
        X = features - centre
        squares, vectors = eigh(X.T @ X)
        return cls(centre, middle, np.maximum(squares, 0.0), vectors, vectors.T @ (X.T @ (targets - middle)))

    def line(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Slopes (m, k) and intercept (k,)."""
        slopes = self.vectors @ (self.products / (self.squares + penalty)[:, None])
        return slopes, self.middle - self.centre @ slopes


def _ridge(
    features: np.ndarray, targets: np.ndarray, alpha: float | None, parts: np.ndarray | None
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Ridge regression of (n, k) targets on (n, m) features: penalty, slopes (m, k), intercept (k,) and left-out answers (n, k).

    parts: (n,) those left out in turn; None: each row.
    """
    whole = _Decomposed.of(features, targets)
    left_out_by = _each_row(whole, features, targets) if parts is None else _each_part(features, targets, parts)
    penalties = _ALPHAS if alpha is None else (float(alpha),)
    penalty = min(penalties, key=lambda candidate: float(((targets - left_out_by(candidate)) ** 2).mean()))
    return penalty, *whole.line(penalty), left_out_by(penalty)


def _each_row(whole: _Decomposed, features: np.ndarray, targets: np.ndarray) -> Callable[[float], np.ndarray]:
    turned, left = (features - whole.centre) @ whole.vectors, targets - whole.middle
    shares = turned**2

    def answers(penalty: float) -> np.ndarray:
        inverse = 1.0 / (whole.squares + penalty)
        own = np.minimum(shares @ inverse + 1.0 / len(features), 1.0 - 1e-6)
        return targets - (left - turned @ (whole.products * inverse[:, None])) / (1.0 - own)[:, None]

    return answers


def _each_part(features: np.ndarray, targets: np.ndarray, parts: np.ndarray) -> Callable[[float], np.ndarray]:
    rests = [(parts == part, _Decomposed.of(features[parts != part], targets[parts != part])) for part in np.unique(parts)]

    def answers(penalty: float) -> np.ndarray:
        found = np.empty_like(targets)
        for held, rest in rests:
            slopes, intercept = rest.line(penalty)
            found[held] = features[held] @ slopes + intercept
        return found

    return answers
