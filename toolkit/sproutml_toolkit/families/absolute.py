"""What learners of squared error need to learn another error of values: MAE, MEDIAN_AE, MAPE or PINBALL.

All of these are least at a quantile of the values, each weighed by how much an error of it counts: the median for the absolute
errors, with weights 1 / value for relative ones; PINBALL's own quantile.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from ..metrics import quantile_of

_MEDIANS = frozenset({"MAE", "MEDIAN_AE", "MAPE"})
# Weights of relative errors differ by no more than this from the middle one: values near 0 would silence all others.
_MOST_WEIGHT = 1e3
# The rounding of the loss's kink, in deviations of the residuals: enough for the gradient to lead to the minimum.
_ROUNDING = 0.1
_ITERATIONS = 200
# Interquartile ranges from the quartiles to the fences: a wild value lies beyond, a long tail's hardly.
_FENCE = 20.0


@dataclass(frozen=True)
class Aim:
    """The quantile to learn. middle: the size of a value whose errors weigh 1; None where all weigh the same."""

    quantile: float
    middle: float | None

    def weights(self, values: np.ndarray) -> np.ndarray:
        """What an error of each value counts; of the values' shape."""
        if self.middle is None:
            return np.ones(values.shape)
        return self.middle / np.maximum(np.abs(values), self.middle / _MOST_WEIGHT)


def aim_of(metric: str, y: np.ndarray) -> Aim | None:
    """What the metric asks of a model of these values (n,); None where it is their mean."""
    quantile = quantile_of(metric)
    if quantile is None and metric not in _MEDIANS:
        return None
    middle = float(np.median(np.abs(y))) if metric == "MAPE" else 0.0
    return Aim(0.5 if quantile is None else quantile, middle or None)


def fenced(metric: str, y: np.ndarray) -> np.ndarray:
    """(n,) the values, wild ones brought to the fences where the metric asks for a quantile, which they do not move.

    They would rule the squares by which a learner finds its way there. For the mean they count in full.
    """
    first, third = np.quantile(y, [0.25, 0.75])
    reach = _FENCE * (third - first)
    return y if reach == 0 or aim_of(metric, y) is None else np.clip(y, first - reach, third + reach)


def quantiles(values: np.ndarray, weights: np.ndarray, quantile: float) -> np.ndarray:
    """(n,) the weighted quantile of each row of (n, k) values: between the midpoints of their weights, linearly."""
    order = np.argsort(values, axis=1, kind="stable")
    values, weights = np.take_along_axis(values, order, 1), np.take_along_axis(weights, order, 1)
    reached = np.cumsum(weights, axis=1)
    middles = (reached - weights / 2) / reached[:, -1:]
    after = np.argmax(middles >= quantile, axis=1)
    after[middles[:, -1] < quantile] = values.shape[1] - 1
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(values))
    low, high = middles[rows, before], middles[rows, after]
    share = np.clip(np.divide(quantile - low, high - low, out=np.ones(len(values)), where=high > low), 0.0, 1.0)
    return values[rows, before] + share * (values[rows, after] - values[rows, before])


def linear_quantile(
    X: np.ndarray, y: np.ndarray, aim: Aim, alpha: float, coefficients: np.ndarray, intercept: float
) -> tuple[np.ndarray, float]:
    """The (p,) coefficients and the intercept of the line through the aim, from those of a ridge regression of strength `alpha`.

    Source: Fernandes, Guerre & Horta, Smoothing Quantile Regressions (2021): the loss's kink is rounded, so that plain L-BFGS
    finds the minimum in milliseconds where linear programs take minutes.
    """
    residuals = y - X @ coefficients - intercept
    scale = float(np.median(np.abs(residuals - np.median(residuals)))) * 1.4826 or float(residuals.std()) or 1.0
    width, weights = _ROUNDING, aim.weights(y) / aim.weights(y).sum()
    # As strong, beside the rounded loss's curvature, as ridge's penalty beside that of squares.
    penalty = 0.4 * alpha / len(y)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slopes, constant = parameters[:-1], parameters[-1]
        errors = (y - intercept) / scale - X @ slopes - constant
        value = weights @ (aim.quantile * errors + width * np.logaddexp(0.0, -errors / width))
        slope = weights * (expit(-errors / width) - aim.quantile)
        gradient = np.append(X.T @ slope + penalty * slopes, slope.sum())
        return value + 0.5 * penalty * (slopes @ slopes), gradient

    start = np.append(coefficients / scale, np.quantile(residuals, aim.quantile) / scale)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS}).x
    return found[:-1] * scale, float(found[-1] * scale + intercept)
