"""Trees without what answers do not need answer the same."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sproutml_toolkit.families.forest import ForestEstimator
from sproutml_toolkit.families.slim_tree import SlimTree, _not_above
from sproutml_toolkit.features import Matrix


@pytest.mark.parametrize("kind", [ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor])
@pytest.mark.parametrize("bounds", [{}, {"max_leaf_nodes": 9}, {"max_depth": 1}])
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 4), missing=st.sampled_from([0.0, 0.2]))
def test_a_slim_tree_answers_as_the_tree_does(kind: type, bounds: dict, seed: int, classes: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    X = rng.choice(rng.normal(size=30), size=(80, 3)).astype(np.float32)
    X[rng.random(X.shape) < missing] = np.nan
    classification = kind.__name__.endswith("Classifier")
    y = rng.integers(0, classes, 80) if classification else rng.normal(size=80)
    tree = kind(n_estimators=1, random_state=seed, **bounds).fit(X, y).estimators_[0].tree_
    slim = pickle.loads(pickle.dumps(SlimTree.of(tree, classification))).tree()
    others = np.concatenate([X, rng.normal(size=(200, 3)).astype(np.float32)])
    np.testing.assert_array_equal(slim.apply(others), tree.apply(others))
    expected = tree.predict(others)
    np.testing.assert_array_equal(slim.predict(others), expected.astype(np.float32) if classification else expected)


@given(st.floats(allow_nan=False, min_value=-(2.0**100), max_value=2.0**100), st.floats(width=32, allow_nan=False, min_value=-(2.0**100), max_value=2.0**100))
def test_rounded_thresholds_send_every_feature_the_same_way(threshold: float, feature: float) -> None:
    values = np.array([feature, np.float32(threshold)], np.float32)
    rounded = _not_above(np.array([threshold]))
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(values <= rounded, values.astype(float) <= threshold)


def test_a_stored_forest_takes_a_fraction_of_scikit_learns_bytes_and_answers_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(500, 4)).astype(np.float32), rng.integers(0, 7, 500)
    forest = ExtraTreesClassifier(20, random_state=0).fit(X, y)
    estimator = ForestEstimator([SlimTree.of(each.tree_, True) for each in forest.estimators_], True, None)
    stored = pickle.dumps(estimator)
    assert len(stored) < 0.4 * len(pickle.dumps(forest))
    np.testing.assert_array_equal(pickle.loads(stored).predict_scores(Matrix(X, [])), estimator.predict_scores(Matrix(X, [])))
    np.testing.assert_allclose(estimator.predict_scores(Matrix(X, [])), forest.predict_proba(X), atol=1e-6)
