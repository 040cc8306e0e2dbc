"""Copies of the target are left out and said to be, come back when asked for, and nothing honest is taken for one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from job_folder import JobFolder
from sproutml_toolkit.copies import copies, summands

RNG = np.random.default_rng(0)
N = 300


def found(y: np.ndarray, is_classes: bool, **columns: Any) -> list[str]:
    return list(copies({name: pd.Series(values) for name, values in columns.items()}, y, is_classes))


def test_classes_under_other_names_are_a_copy() -> None:
    y = RNG.integers(0, 3, N)
    words = np.array(["lost", "won", None], dtype=object)[y]
    nearly = y.astype(float)
    nearly[0] = (nearly[0] + 1) % 3
    finer = y * 2.0 + RNG.integers(0, 2, N)
    assert found(y, True, words=words, number=7.0 - y, nearly=nearly, finer=finer, coarser=np.minimum(y, 1.0)) == ["words", "number"]


def test_a_value_in_another_unit_or_curve_is_a_copy() -> None:
    y = RNG.gamma(3.0, 50.0, N)
    columns = {
        "euros": (y * 0.91).round(2), "minus": 40.0 - y, "log": np.log(y), "rank": np.argsort(np.argsort(y)) + 1.0,
        "whole": (y * 20).round(), "close": y + RNG.normal(size=N), "gaps": np.where(RNG.random(N) < 0.1, np.nan, y), "huge": y * 1e200,
    }  # fmt: skip
    assert found(y, False, **columns) == ["euros", "minus", "log", "rank", "whole", "huge"]
    assert found((y * 10).round(), False, finer=y) == ["finer"]
    few = RNG.integers(1, 6, N).astype(float)
    assert found(few, False, stars=np.array(["", "*", "**", "***", "****", "*****"], dtype=object)[few.astype(int)]) == ["stars"]


def test_what_grows_along_the_file_may_grow_with_the_target() -> None:
    year = np.arange(1900.0, 2020.0)
    assert found(1000 * 1.02 ** (year - 1900), False, year=year) == []


@pytest.mark.parametrize("rows", [20, 60])
def test_chance_makes_no_copies(rows: int) -> None:
    y = (np.arange(rows) < 6).astype(np.int64)
    assert found(y, True, same=y.astype(float)) == []


def test_a_target_that_is_added_up_is_told_with_its_parts() -> None:
    X = pd.DataFrame(RNG.normal(size=(N, 4)), columns=list("abcd")).assign(word="w")
    assert summands(X, list(X), (X.a - 3 * X.c).to_numpy(), 0) == ["a", "c"]
    assert summands(X, list(X), (X.a - 3 * X.c + 0.1 * RNG.normal(size=N)).to_numpy(), 0) == []
    assert summands(X, list(X), (2 * X.a).to_numpy(), 0) == []


def rows_with_copy() -> list[list[str]]:
    y = RNG.gamma(3.0, 50.0, 120).round(2)
    return [[f"{value * 1.1:.3f}", f"{value + 40 * RNG.normal():.1f}", f"{1000 + i * 7}", f"{value}"] for i, value in enumerate(y)]


def test_a_copy_is_dropped_with_the_reason_unless_it_is_kept(job: JobFolder) -> None:
    job.write_rows(["dollars", "guess", "customer_id", "euros"], rows_with_copy())
    result = job.profile("euros")
    roles = {entry["name"]: (entry["role"], entry["reason"]) for entry in result["columns"]}
    assert roles["dollars"] == ("dropped", "it is the target in another unit")
    assert roles["customer_id"][0] == "dropped" and roles["guess"][0] == "feature"
    (warning,) = [entry for entry in result["warnings"] if entry["code"] == "TARGET_COPY"]
    assert warning["columns"] == ["dollars"] and "keepColumns" in warning["message"]

    result = job.profile("euros", keepColumns=["dollars", "customer_id"])
    assert all(entry["role"] == "feature" for entry in result["columns"] if entry["name"] != "euros")
    assert "TARGET_COPY" not in [entry["code"] for entry in result["warnings"]]
    assert "dollars: kept as asked, though it is the target in another unit." in result["decisions"]
    assert "customer_id: seems to name the row, and is kept as asked." in result["decisions"]
    job.split(folds=4)
    plan = job.prepare()
    assert {entry["name"]: entry["type"] for entry in plan["features"]}["customer_id"] == "NUMERIC"
    assert not any(entry["code"].startswith("LEAK") for entry in plan["warnings"])


def test_names_of_rows_are_kept_as_categories_and_constants_are_not(job: JobFolder) -> None:
    rows = [[f"k{i}", "same", f"k{i}", str(i % 7), str(i * i % 11)] for i in range(60)]
    kept = ["key", "always", "again"]
    result = job.write_rows(["key", "always", "again", "x", "y"], rows).profile("y", task="REGRESSION", keepColumns=kept)
    roles = {entry["name"]: (entry["type"], entry["role"]) for entry in result["columns"]}
    assert roles["key"] == roles["again"] == ("CATEGORICAL", "feature")
    assert roles["always"] == ("CONSTANT", "dropped")
    assert any(text.startswith("always can't be kept") for text in result["decisions"])


def test_a_copy_that_is_the_only_column_stays(job: JobFolder) -> None:
    rows = [[f"{2 * value}", f"{value}"] for value in RNG.normal(size=50).round(3)]
    result = job.write_rows(["twice", "y"], rows).profile("y")
    assert [entry["code"] for entry in result["warnings"] if entry["code"] == "TARGET_COPY"] == ["TARGET_COPY"]
    assert result["columns"][0]["role"] == "feature"
