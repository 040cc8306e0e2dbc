"""Change along the file and towards the latest rows is told by what changes; the order of the file alone is none."""

import numpy as np
import pandas as pd
import pytest
from sproutml_toolkit.doubts import look_for_doubts
from sproutml_toolkit.file_order import drift_along, drift_between, is_sorted_by_target
from sproutml_toolkit.workspace import Table

N = 600


def frame(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    colours = np.array(["red", "green", None], dtype=object)
    return pd.DataFrame({"a": rng.normal(size=N), "b": rng.integers(0, 9, N), "c": colours[rng.integers(0, 3, N)]})


def test_halves_that_differ_are_told_apart_by_what_differs() -> None:
    X = frame()
    X["a"] += np.arange(N) / N * 3
    drift = drift_along(X, list(X), 0)
    assert drift.is_notable and drift.columns[0] == "a"
    X = frame()
    X.loc[X.index[: N // 2][::2], "c"] = "blue"
    assert drift_along(X, list(X), 0).columns[0] == "c"


def test_what_changes_with_the_category_that_sorts_the_file_is_no_drift() -> None:
    X = frame().assign(place=np.repeat(["north", "south", "east"], N // 3))
    X["a"] += np.repeat([0, 3, 6], N // 3)
    drift = drift_along(X, list(X), 0)
    assert drift.auc > 0.8 and drift.sortedBy == "place" and not drift.is_notable


@pytest.mark.parametrize("seed", range(4))
def test_halves_that_are_alike_are_not(seed: int) -> None:
    assert not drift_along(frame(seed), ["a", "b", "c"], seed).is_notable


def test_what_only_orders_the_file_or_neighbours_share_is_no_drift() -> None:
    X = frame().assign(
        day=pd.date_range("2024-01-01", periods=N),
        soon=pd.date_range("2024-01-05", periods=N) + pd.to_timedelta(np.random.default_rng(2).integers(0, 5, N), unit="D"),
        step=np.repeat([0.0, 1.0, 2.0], N // 3),
        batch=np.repeat(np.random.default_rng(1).normal(size=N // 10), 10),
    )
    drift = drift_along(X, list(X), 0)
    assert not drift.is_notable and drift.orderedBy == ["day", "soon", "step"]


def test_few_rows_or_columns_can_not_tell() -> None:
    assert drift_along(frame()[:100], ["a", "b"], 0) is None
    assert drift_along(pd.DataFrame({"when": np.arange(N)}), ["when"], 0) is None


def test_later_rows_are_set_beside_earlier_ones_without_their_time() -> None:
    X = frame().assign(when=np.arange(N, dtype=float), count=np.arange(N) * 2.0)
    shuffled = X.sample(frac=1, random_state=0)
    earlier, later = shuffled[shuffled.when < 450], shuffled[shuffled.when >= 450]
    assert not drift_between(earlier, later, list(X), "when", 0).is_notable
    assert drift_between(earlier, later.assign(b=later.b + 5), list(X), "when", 0).columns[0] == "b"


def test_a_file_sorted_by_its_target_is_said_to_be_and_not_to_drift() -> None:
    rng = np.random.default_rng(0)
    y = np.sort(rng.normal(size=N))
    table = Table(pd.DataFrame({"near": y + 0.3 * rng.normal(size=N), "noise": rng.normal(size=N)}), y, np.arange(N))
    profile = {"task": "REGRESSION", "classes": None, "target": {"name": "y"}, "request": {}}
    doubts = look_for_doubts(table, ["near", "noise"], profile, 0)
    assert doubts.checks["sortedByTarget"] and "drift" not in doubts.checks
    assert "DRIFT" not in [entry["code"] for entry in doubts.warnings]
    mixed = Table(table.X, rng.permutation(y), table.row_ids)
    assert [entry["columns"] for entry in look_for_doubts(mixed, ["near", "noise"], profile, 0).warnings] == [["near"]]
    assert is_sorted_by_target(np.repeat([1, 0, 2], 50), True) and not is_sorted_by_target(rng.integers(0, 3, 150), True)
