"""Ridge regressions of several strengths, targets or parts of the rows for little more than the cost of one.

To choose between them many are fitted and thrown away; what costs is the same for all, the sums of products of columns.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import eigh, solve


def ridge_answers(X: np.ndarray, y: np.ndarray, others: np.ndarray, alphas: Sequence[float]) -> np.ndarray:
    """(m, strengths) what ridge regressions with an intercept, fitted on X (n, p) and y (n,), answer to `others` (m, p)."""
    centre, mean = X.mean(axis=0), y.mean()
    X, left, strengths = X - centre, y - mean, np.asarray(alphas, dtype=float)
    # On the side of rows or of columns, whichever is smaller.
    tall = X.shape[1] <= X.shape[0]
    spread, axes = eigh(X.T @ X if tall else X @ X.T)
    shares = (axes.T @ (X.T @ left if tall else left))[:, None] / (np.maximum(spread, 0.0)[:, None] + strengths)
    slopes = axes @ shares if tall else X.T @ (axes @ shares)
    return (others - centre) @ slopes + mean


def slopes_without(
    X: np.ndarray, Y: np.ndarray, numbers: np.ndarray, alpha: float
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each part of the rows which they are (n,), and the slopes (p, k) and intercepts (k,) of a ridge regression on all others.

    X: (n, p). Y: (n, k) targets. numbers: (n,) the part each row is of.
    """
    parts = [numbers == number for number in np.unique(numbers)]
    tall = X.shape[1] <= X.shape[0]
    sums = [_sums(X[held], Y[held]) for held in parts] if tall else []
    for place, held in enumerate(parts):
        count = int((~held).sum())
        if tall:
            # Added up and not taken from the whole: a wild value of the part itself must leave no trace.
            X_sum, Y_sum, XX, XY = (sum(terms) for terms in zip(*(sums[:place] + sums[place + 1 :]), strict=True))
            centre, mean = X_sum / count, Y_sum / count
            XX = XX - count * np.outer(centre, centre)
            XX.flat[:: len(XX) + 1] += alpha
            slopes = solve(XX, XY - count * np.outer(centre, mean), assume_a="pos")
        else:
            centre, mean = X[~held].mean(axis=0), Y[~held].mean(axis=0)
            left = X[~held] - centre
            slopes = left.T @ solve(left @ left.T + alpha * np.eye(count), Y[~held] - mean, assume_a="pos")
        yield held, slopes, mean - centre @ slopes


def _sums(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return X.sum(axis=0), Y.sum(axis=0), X.T @ X, X.T @ Y
