"""RANDOM_FOREST: bagged trees on random subsets of features. Parameters: see forest.py."""

from typing import Any

from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from ..features import FeatureEncoder
from . import forest
from .fold import Fold

DEFAULTS: dict[str, Any] = forest.DEFAULTS
STOPS_EARLY = True


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, forest.ForestEstimator, dict[str, Any]]:
    """Grow the forest."""
    return forest.grow(fold, parameters, RandomForestClassifier, RandomForestRegressor)
