"""KNN: the nearest training rows vote, nearer ones more, on scaled, one-hot features.

Parameters: `n_neighbors` (None: chosen inside the training part, leaving each row out,
or a quarter of the groups), `p` (1 or 2: the distance).
"""

from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..features import FeatureEncoder, Matrix
from ..inner_split import deal_inside
from ..metrics import utility
from .absolute import Aim, aim_of, quantiles
from .fold import Fold

DEFAULTS: dict[str, Any] = {"n_neighbors": None, "p": 2}
STOPS_EARLY = False

_CANDIDATES = (3, 5, 10, 20, 40, 80)
_CHOICE_ROWS = 3_000
_PARTS = 4
# Each answer looks at every row kept: beyond this many it would cost more than it tells.
_MOST_ROWS = 30_000


class KnnEstimator:
    """The training rows and how many of them vote."""

    def __init__(
        self, index: NearestNeighbors, y: np.ndarray, n_classes: int, n_neighbors: int, aim: Aim | None
    ) -> None:
        self.index = index
        self.y = y
        self.n_classes = n_classes
        self.n_neighbors = n_neighbors
        self.aim = aim

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        distances, rows = self.index.kneighbors(matrix.values, self.n_neighbors)
        return vote(distances, self.y[rows], self.n_classes, self.aim)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, KnnEstimator, dict[str, Any]]:
    """Remember the training rows and choose how many neighbours vote."""
    encoder, train, _ = fold.encode("dense")
    p = 1 if parameters["p"] == 1 else 2
    values, y, groups = train.values, fold.y_train, fold.groups
    if len(y) > _MOST_ROWS:
        kept = np.sort(np.random.default_rng(fold.seed).permutation(len(y))[:_MOST_ROWS])
        values, y, groups = values[kept], y[kept], None if groups is None else groups[kept]
        fold.notes.append(f"neighbours are looked for among {_MOST_ROWS:,} of the training rows")
    index = NearestNeighbors(p=p, n_jobs=fold.threads).fit(values)
    n_classes = fold.n_classes if fold.is_classification else 0
    aim = None if fold.is_classification else aim_of(fold.metric, y)
    wanted = parameters["n_neighbors"]
    if wanted is None:
        wanted = _choose(*_neighbours(index, values, y, groups, fold), fold, n_classes, aim)
    wanted = int(min(max(int(wanted), 1), len(y)))
    return encoder, KnnEstimator(index, y, n_classes, wanted, aim), {"n_neighbors": wanted, "p": p}


def vote(distances: np.ndarray, targets: np.ndarray, n_classes: int, aim: Aim | None = None) -> np.ndarray:
    """(n, k) distances and targets of neighbours to (n, n_classes) probabilities, or (n,) values when n_classes is 0.

    aim: what values are to be; their mean without one.
    """
    # The mean distance softens the weights: an exact twin counts much, but does not silence all others.
    weights = 1.0 / (distances + 0.1 * distances.mean(axis=1, keepdims=True) + 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    if aim is not None:
        return quantiles(targets, weights * aim.weights(targets), aim.quantile)
    if not n_classes:
        return (weights * targets).sum(axis=1)
    votes = np.stack([(weights * (targets == label)).sum(axis=1) for label in range(n_classes)], axis=1)
    # One vote is spread over all classes, so that no probability is exactly 0.
    k = distances.shape[1]
    return (votes * k + 1.0 / n_classes) / (k + 1.0)


def _neighbours(
    index: NearestNeighbors, values: np.ndarray, y: np.ndarray, groups: np.ndarray | None, fold: Fold
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some rows' targets (m,), and the distances and targets (m, k) of their nearest others: of other groups, where there are some."""
    rng = np.random.default_rng(fold.seed)
    if groups is not None:
        held = deal_inside(y if fold.is_classification else np.zeros(len(y)), groups, _PARTS, rng) == 0
        rows, others = rng.permutation(np.flatnonzero(held))[:_CHOICE_ROWS], np.flatnonzero(~held)
        without = NearestNeighbors(p=index.p, n_jobs=fold.threads).fit(values[others])
        distances, neighbours = without.kneighbors(values[rows], min(_CANDIDATES[-1], len(others)))
        return y[rows], distances, y[others[neighbours]]
    rows = rng.permutation(len(values))[:_CHOICE_ROWS]
    most = min(_CANDIDATES[-1], len(values) - 1)
    distances, neighbours = index.kneighbors(values[rows], most + 1)
    # A row's nearest neighbour is itself, save where it has twins: leave one out either way.
    itself = neighbours == rows[:, None]
    itself[~itself.any(axis=1), -1] = True
    return y[rows], distances[~itself].reshape(len(rows), most), y[neighbours[~itself].reshape(len(rows), most)]


def _choose(
    targets: np.ndarray, distances: np.ndarray, answers: np.ndarray, fold: Fold, n_classes: int, aim: Aim | None
) -> int:
    """How many of the nearest should vote on `targets`: see _neighbours."""
    most = distances.shape[1]
    if most < 1:
        return 1
    candidates = [k for k in _CANDIDATES if k < most] + [most]
    metric = fold.metric if not fold.is_classification else "LOG_LOSS"
    values_of = {
        k: utility(metric, targets, vote(distances[:, :k], answers[:, :k], n_classes, aim)) for k in candidates
    }
    return max(candidates, key=lambda k: values_of[k])
