"""What RANDOM_FOREST and EXTRA_TREES share: trees grown in batches, so that a deadline leaves a smaller forest.

Parameters: `n_estimators` (None: 150 up to 10,000 rows, then fewer, 50 at least: the folds' forests answer together),
`max_features` (None: the square root for classes, all for values: with half of them RMSE was 52.7 for 41.7 on bike sharing and 533
for 526 on diamonds), `min_samples_leaf` (None: 2 for classes, 3 for values, more beyond 75,000 rows), `max_depth`, `max_leaf_nodes`
(None: no bound up to 30,000 rows, 15,000 beyond), `criterion` (None: scikit-learn's own), `bootstrap`.
"""

from typing import Any

import numpy as np

from ..features import FeatureEncoder, Matrix
from .absolute import Aim, aim_of, quantiles
from .fold import Fold
from .slim_tree import SlimTree

DEFAULTS: dict[str, Any] = {
    "n_estimators": None,
    "max_features": None,
    "min_samples_leaf": None,
    "max_depth": None,
    "max_leaf_nodes": None,
    "criterion": None,
    "bootstrap": True,
}
_BATCH = 25
_ROWS_AT_ONCE = 10_000
_LEAF_BOUND_ROWS, _MOST_LEAVES = 30_000, 15_000
_TREES, _FEWEST_TREES, _ALL_TREES_ROWS = 150, 50, 10_000


class ForestEstimator:
    """The trees of a forest. aim: what values are to be, of trees whose leaves hold a drawn value each; their mean without one.

    unanimous: whether leaves may hold one row each, so that all trees may agree on a class they cannot be sure of.
    """

    def __init__(self, trees: list[SlimTree], classification: bool, aim: Aim | None, unanimous: bool = False) -> None:
        self.slim = trees
        self.trees = [tree.tree() for tree in trees]
        self.classification = classification
        self.aim = aim
        self.unanimous = unanimous

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "trees"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.trees = [tree.tree() for tree in self.slim]

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        if self.aim is not None:
            values = matrix.values
            parts = [values[start : start + _ROWS_AT_ONCE] for start in range(0, max(len(values), 1), _ROWS_AT_ONCE)]
            return np.concatenate([self._quantiles(part, self.aim) for part in parts])
        # The trees one after another: scikit-learn's own loop checks the input and starts threads for each call, which
        # for one row is fifteen times the work.
        total = np.zeros((len(matrix.values), self.slim[0].answers.shape[1]))
        for tree in self.trees:
            total += tree.predict(matrix.values)
        trees = len(self.trees)
        if self.classification and self.unanimous:
            # One tree's vote is spread over all classes, so that no probability is exactly 0.
            return (total + 1.0 / total.shape[1]) / (trees + 1.0)
        total /= trees
        return total if self.classification else total[:, 0]

    def _quantiles(self, values: np.ndarray, aim: Aim) -> np.ndarray:
        drawn = np.concatenate([tree.predict(values) for tree in self.trees], axis=1)
        return quantiles(drawn, aim.weights(drawn), aim.quantile)


def grow(fold: Fold, parameters: dict[str, Any], classifier: type, regressor: type) -> tuple[
    FeatureEncoder, ForestEstimator, dict[str, Any]
]:  # fmt: skip
    """Grow trees until there are enough of them or the deadline passes."""
    encoder, train, _ = fold.encode("ordinal")
    effective = dict(parameters)
    if effective["max_features"] is None:
        effective["max_features"] = "sqrt" if fold.is_classification else 1.0
    if effective["min_samples_leaf"] is None:
        effective["min_samples_leaf"] = max(2 if fold.is_classification else 3, len(fold.y_train) // 25_000)
    if effective["criterion"] is None:
        effective["criterion"] = "gini" if fold.is_classification else "squared_error"
    if effective["max_leaf_nodes"] is None and len(fold.y_train) > _LEAF_BOUND_ROWS:
        # Bounded trees grow best leaf first, which takes half as long again: only where trees would get huge.
        effective["max_leaf_nodes"] = _MOST_LEAVES
    wanted = effective.pop("n_estimators")
    if wanted is None:
        wanted = min(_TREES, max(_FEWEST_TREES, _TREES * _ALL_TREES_ROWS // max(len(fold.y_train), 1)))
    wanted = int(wanted)
    kind = classifier if fold.is_classification else regressor
    forest = kind(**effective, n_estimators=0, warm_start=True, n_jobs=fold.threads, random_state=fold.seed)
    while forest.n_estimators < wanted and not (forest.n_estimators and fold.is_late()):
        forest.n_estimators = min(forest.n_estimators + _BATCH, wanted)
        forest.fit(train.values, fold.y_train)
    if forest.n_estimators < wanted:
        fold.pace.bound = True
        fold.notes.append(f"the time limit left room for fewer than the {wanted} trees asked for")
    aim = None if fold.is_classification else aim_of(fold.metric, fold.y_train)
    if aim is not None:
        rng = np.random.default_rng(fold.seed)
        for tree in forest.estimators_:
            _draw_values(tree.tree_, train.values, fold.y_train, rng)
    trees = [SlimTree.of(tree.tree_, fold.is_classification) for tree in forest.estimators_]
    estimator = ForestEstimator(trees, fold.is_classification, aim, unanimous=effective["min_samples_leaf"] == 1)
    return encoder, estimator, effective | {"n_estimators": forest.n_estimators}


def _draw_values(tree: Any, values: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> None:
    """Put the value of one of its training rows, drawn by chance, in place of each leaf's mean.

    A quantile over the trees is then one of the rows that share leaves with the one asked about, as in Meinshausen, Quantile
    Regression Forests (2006), at the cost of one value a leaf.
    """
    leaves = tree.apply(values)
    order = rng.permutation(len(y))
    # Of the rows of a leaf the last one written stays.
    tree.value[leaves[order], 0, 0] = y[order]
