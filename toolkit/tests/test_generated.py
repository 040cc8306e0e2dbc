"""Generated columns: they show what hides between columns, and no row sees its own target."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_folder import JobFolder
from sproutml_toolkit.features import FeatureEncoder
from sproutml_toolkit.generated import GeneratingEncoder

NUMBERS = [{"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}]
CATEGORIES = [{"name": "c", "kind": "category"}, {"name": "d", "kind": "category"}]


def encoder(features: list[dict], task: str = "REGRESSION") -> GeneratingEncoder:
    return GeneratingEncoder(FeatureEncoder(features, "native", task, 0))


def test_a_ratio_becomes_a_column() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=300), "b": rng.uniform(1, 2, 300)})
    y = (X["a"] / X["b"]).to_numpy()
    values = encoder(NUMBERS).fit_transform(X, y).values
    assert values.shape == (300, 5)
    assert max(abs(np.corrcoef(column, y)[0, 1]) for column in values.T) > 0.999999


def test_two_categories_that_matter_only_together_become_a_column() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"c": rng.choice(["p", "q"], 400), "d": rng.choice(["r", "s"], 400)}, dtype=object)
    y = ((X["c"] == "p") == (X["d"] == "r")).to_numpy().astype(int)
    values = encoder(CATEGORIES, "BINARY").fit_transform(X, y).values
    assert max(abs(np.corrcoef(column, y)[0, 1]) for column in values[:, 2:].T) > 0.95


def test_a_training_row_does_not_know_its_own_target() -> None:
    y = np.random.default_rng(0).integers(0, 2, 300)
    X = pd.DataFrame({"c": [f"row {i}" for i in range(300)], "d": ["x"] * 300}, dtype=object)
    values = encoder(CATEGORIES, "BINARY").fit_transform(X, y).values
    for column in values[:, 2:].T:
        assert column.std() == 0 or abs(np.corrcoef(column, y)[0, 1]) < 0.5


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(width=32) | st.none(), st.floats(width=32) | st.none(), st.sampled_from(["u", "v", None]), st.text(max_size=3)
        ),
        min_size=12,
        max_size=30,
    ),
    st.sampled_from(["REGRESSION", "BINARY", "MULTICLASS"]),
)
def test_whatever_the_cells_hold_the_width_is_the_same_and_nothing_is_infinite(rows: list[tuple], task: str) -> None:
    X = pd.DataFrame(rows, columns=["a", "b", "c", "d"]).astype({"a": float, "b": float, "c": object, "d": object})
    y = np.arange(len(rows)) % {"REGRESSION": len(rows), "BINARY": 2, "MULTICLASS": 3}[task]
    fitted = encoder(NUMBERS + CATEGORIES, task)
    train, other = fitted.fit_transform(X, y), fitted.transform(X[::-1])
    assert train.values.shape == other.values.shape
    assert train.values.dtype == other.values.dtype == np.float32
    assert not np.isinf(train.values).any()
    assert train.categorical == [2, 3]


@pytest.mark.parametrize("family", ["LIGHTGBM", "CATBOOST"])
def test_boosters_learn_from_them_and_predict_new_rows(job: JobFolder, family: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 9, (2, 400))
    job.write_rows(["a", "b", "y"], [[f"{x:.3f}", f"{z:.3f}", f"{x / z:.4f}"] for x, z in zip(a, b, strict=True)]).ready("y")
    plain = job.train("plain", family, params={"rounds": 80})
    generated = job.train("generated", family, params={"rounds": 80, "generate": True})
    assert generated["score"] < 0.8 * plain["score"]
    assert generated["parameters"]["generate"] is True
