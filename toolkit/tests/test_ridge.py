"""Many ridge regressions at the cost of one are, each, what scikit-learn's is."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sproutml_toolkit.families.ridge import ridge_answers, slopes_without


@pytest.fixture(params=[(80, 5), (20, 50), (30, 30)], ids=["tall", "wide", "square"])
def table(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features far from 0, targets, and other rows."""
    rows, width = request.param
    rng = np.random.default_rng(2)
    return rng.normal(size=(rows, width)) + 3, rng.normal(size=rows) + 10, rng.normal(size=(7, width))


def test_of_many_strengths(table: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, y, others = table
    found = ridge_answers(X, y, others, [0.1, 10.0])
    for place, alpha in enumerate((0.1, 10.0)):
        np.testing.assert_allclose(found[:, place], Ridge(alpha=alpha).fit(X, y).predict(others), rtol=1e-6)


@pytest.mark.parametrize("wild", [0.0, 1e12])
def test_of_many_targets_without_each_part_of_the_rows(table: tuple[np.ndarray, np.ndarray, np.ndarray], wild: float) -> None:
    X, y, _ = table
    numbers = np.arange(len(y)) % 3 + 4
    Y = np.column_stack([y, np.exp(y / 10)])
    Y[0] += wild
    held_once = np.zeros(len(y), dtype=int)
    for held, slopes, intercepts in slopes_without(X, Y, numbers, alpha=1.0):
        assert len(set(numbers[held])) == 1
        held_once += held
        for target in (0, 1):
            model = Ridge(alpha=1.0).fit(X[~held], Y[~held, target])
            answers = X[held] @ slopes[:, target] + intercepts[target]
            np.testing.assert_allclose(answers, model.predict(X[held]), rtol=1e-5, atol=1e-7)
    assert (held_once == 1).all()
