"""EXTRA_TREES: trees with random thresholds, on all rows each. Parameters: see forest.py."""

from typing import Any

from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from ..features import FeatureEncoder
from . import forest
from .fold import Fold

DEFAULTS: dict[str, Any] = forest.DEFAULTS | {"bootstrap": False}
STOPS_EARLY = True


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, forest.ForestEstimator, dict[str, Any]]:
    """Grow the trees."""
    return forest.grow(fold, parameters, ExtraTreesClassifier, ExtraTreesRegressor)
