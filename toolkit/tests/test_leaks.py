"""Leaks: copies of the target in any type are found, honest columns are not, and nothing is judged on rows it was fitted on."""

import numpy as np
import pandas as pd
import pytest
from sproutml_toolkit.leaks import strengths, suspects
from sproutml_toolkit.workspace import Table

RNG = np.random.default_rng(0)
N = 400


def table(y: np.ndarray, **columns: object) -> Table:
    return Table(pd.DataFrame(columns), y, np.arange(len(y)))


def likely(*question: object) -> list[str]:
    return sorted((found.name for found in suspects(strengths(*question)) if found.likely), key=question[1].index)


@pytest.mark.parametrize("task", ["BINARY", "MULTICLASS"])
def test_a_copy_of_the_classes_is_found_as_number_category_and_date(task: str) -> None:
    classes = 2 if task == "BINARY" else 3
    y = RNG.integers(0, classes, N)
    code = y * 10.0 + RNG.normal(size=N)
    found = likely(
        table(
            y,
            number=np.where(y == 1, -code, code),
            word=np.array(["alpha", "beta", "gamma"], dtype=object)[y],
            day=pd.Timestamp("2020-01-01") + pd.to_timedelta(y * 100 + RNG.integers(0, 9, N), unit="D"),
            honest=y + RNG.normal(size=N),
            noise=RNG.normal(size=N),
        ),
        ["number", "word", "day", "honest", "noise"],
        task,
        classes,
        0,
    )
    assert found == ["number", "word", "day"]


def test_a_copy_of_a_value_is_found_and_a_strong_column_is_not() -> None:
    y = RNG.gamma(2.0, size=N)
    columns = {"again": y * 1.19, "strong": y + RNG.normal(size=N) * 0.5, "gaps": np.where(RNG.random(N) < 0.02, np.nan, -y)}
    assert likely(table(y, **columns), list(columns), "REGRESSION", 0, 0) == ["again", "gaps"]


def test_an_id_tells_nothing_of_rows_it_was_not_fitted_on() -> None:
    y = RNG.integers(0, 2, N)
    names = np.array([f"row {i}" for i in range(N)], dtype=object)
    assert likely(table(y, id=names, empty=np.full(N, np.nan)), ["id", "empty"], "BINARY", 2, 0) == []


def test_few_rows_can_not_tell() -> None:
    y = np.arange(50) % 2
    assert likely(table(y, copy=y.astype(float)), ["copy"], "BINARY", 2, 0) == []


def test_a_strong_column_is_told_of_where_it_stands_alone() -> None:
    y = RNG.integers(0, 2, N)
    ahead, behind = y + RNG.normal(size=N) * 0.38, y + RNG.normal(size=N)
    (found,) = suspects(strengths(table(y, ahead=ahead, behind=behind), ["ahead", "behind"], "BINARY", 2, 0))
    assert found.name == "ahead" and not found.likely and 0.85 <= found.strength < 0.975
    beside = table(y, ahead=ahead, beside=ahead + RNG.normal(size=N) * 0.1)
    assert suspects(strengths(beside, ["ahead", "beside"], "BINARY", 2, 0)) == []
