"""The explanations: what they say is what the model does, and a slow model costs no more than its time."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sproutml_toolkit.contributions import contributions
from sproutml_toolkit.dependence import partial_dependence
from sproutml_toolkit.examples import choose_examples
from sproutml_toolkit.learning_curve import learning_curve
from sproutml_toolkit.sampling import evenly_spaced, target_order
from sproutml_toolkit.speed import Speed, TimedModel
from sproutml_toolkit.workspace import Table

SEED = 5
QUICK = Speed(call_seconds=0.0, row_seconds=1e-6)
ROWS = 300

_rng = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "size": _rng.normal(size=ROWS).round(2),
        "self": _rng.normal(size=ROWS),  # a name that is also a Python argument's
        "kind": _rng.choice(np.array(["a", "b", "c"], dtype=object), ROWS),
        "owner": np.array([f"owner {row}" for row in range(ROWS)], dtype=object),
        "story": np.array(["once upon a time"] * ROWS, dtype=object),
        "day": pd.date_range("2020-01-01", periods=ROWS, freq="D"),
        "flag": _rng.choice([0.0, 1.0], ROWS),
    }
)
X.loc[::7, "size"] = np.nan
X.loc[::9, "kind"] = None
ORDER = np.arange(ROWS)
FEATURES = [
    {"name": name, "kind": kind}
    for name, kind in (
        ("size", "number"), ("story", "text"), ("owner", "category"), ("kind", "category"), ("day", "date parts"), ("flag", "flag"),
        ("self", "number"),
    )
]  # fmt: skip
WEIGHT = {"a": 1.0, "b": 5.0, "c": -2.0}


class Additive:
    """3 x size (0 when missing) + a weight per kind + size of `self`: every true effect is known."""

    def predict_scores(self, rows: pd.DataFrame) -> np.ndarray:
        assert (rows.dtypes == X.dtypes).all()
        return 3 * rows["size"].fillna(0).to_numpy() + rows["kind"].map(WEIGHT).fillna(0).to_numpy(float) + rows["self"].to_numpy()


def test_a_curve_is_the_models_average_answer_with_the_column_set() -> None:
    found = partial_dependence(Additive(), X, ORDER, FEATURES, None, QUICK, seconds=1.0)
    by_name = {entry["feature"]: entry for entry in found.features}
    size = by_name["size"]
    assert np.diff(size["curves"][0]["mean"]) == pytest.approx(3 * np.diff(size["values"]))
    kind = by_name["kind"]
    effects = dict(zip(kind["values"], kind["curves"][0]["mean"], strict=True))
    assert effects["b"] - effects["a"] == pytest.approx(4.0)
    assert size["curves"][0]["sure"] and size["curves"][0]["agreement"] == 1.0
    assert not by_name["flag"]["curves"][0]["sure"]


def test_a_column_is_drawn_where_its_values_can_be_listed() -> None:
    found = partial_dependence(Additive(), X, ORDER, FEATURES, None, QUICK, seconds=1.0)
    assert [entry["feature"] for entry in found.features] == ["size", "kind", "day", "flag"]
    assert found.features[2]["values"][0].startswith("2020-01")
    assert found.rows == 200


def test_a_slow_model_gets_fewer_rows_then_fewer_columns_and_they_are_named() -> None:
    some = partial_dependence(Additive(), X, ORDER, FEATURES, None, Speed(0.0, 1e-3), seconds=0.7)
    assert len(some.features) == 4 and some.rows < 50
    few = partial_dependence(Additive(), X, ORDER, FEATURES, None, Speed(0.0, 1e-3), seconds=0.1)
    assert [entry["feature"] for entry in few.features] == ["size", "kind"][: len(few.features)]
    assert few.unmeasured == ["size", "kind", "day", "flag"][len(few.features) :]
    none = partial_dependence(Additive(), X, ORDER, FEATURES, None, Speed(5.0, 1e-3), seconds=0.1)
    assert none.features == [] and none.unmeasured == ["size", "kind", "day", "flag"]


GROUPS = [["size"], ["kind"], ["self"], ["owner", "story", "day", "flag"]]


def explained(model, rows: pd.DataFrame, speed: Speed = QUICK, seconds: float = 1.0):
    return contributions(model, rows, model.predict_scores(rows), None, X, ORDER, GROUPS, speed, SEED, seconds)


def test_a_column_contributes_its_own_effect_less_its_average_effect() -> None:
    rows = X.iloc[[3, 11]]
    found = explained(Additive(), rows)
    assert found is not None
    background = X.iloc[evenly_spaced(ROWS, found.walks)]
    of_size = 3 * (rows["size"].fillna(0).to_numpy() - background["size"].fillna(0).mean())
    assert found.moved[:, 0] == pytest.approx(of_size)
    assert found.moved[:, 3] == pytest.approx(0)
    assert found.base == pytest.approx(Additive().predict_scores(background).mean())


class Tangled:
    """Columns that only act together, in probabilities of two classes."""

    def __init__(self, seed: int) -> None:
        self.weights = np.random.default_rng(seed).normal(size=4)

    def predict_scores(self, rows: pd.DataFrame) -> np.ndarray:
        size, other = rows["size"].fillna(0).to_numpy(), rows["self"].to_numpy()
        weight = rows["kind"].map(WEIGHT).fillna(0).to_numpy(float)
        said = 1 / (1 + np.exp(-(self.weights @ np.array([size * other, weight * other, np.abs(size), weight * size]))))
        return np.column_stack([1 - said, said])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=6))
def test_average_and_contributions_add_up_to_the_answer(seed: int, positions: list[int]) -> None:
    model, rows = Tangled(seed), X.iloc[positions]
    outputs = np.arange(len(positions)) % 2
    answers = model.predict_scores(rows)[np.arange(len(positions)), outputs]
    found = contributions(model, rows, answers, outputs, X, ORDER, GROUPS, QUICK, SEED, 1.0)
    assert found is not None
    assert found.base + found.moved.sum(axis=1) == pytest.approx(answers)


def test_contributions_are_left_out_when_the_model_is_too_slow_for_an_estimate() -> None:
    assert explained(Additive(), X.iloc[:3], Speed(0.0, 1.0)) is None
    assert explained(Additive(), X.iloc[:3], Speed(0.0, 1e-2), seconds=2.0).walks == 20


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(2, 4), st.integers(0, 2**31))
def test_examples_are_different_rows_of_the_kind_they_are_called(rows: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, scores = rng.integers(0, classes, rows), rng.dirichlet(np.ones(classes), rows)
    chosen = choose_examples(y, scores)
    assert len({example.position for example in chosen}) == len(chosen) <= 6
    right = scores.argmax(axis=1) == y
    for example in chosen:
        assert example.kind == "UNSURE" or right[example.position] == (example.kind == "SURE_RIGHT")
    if (~right).any():
        surest_mistake = np.flatnonzero(~right)[scores[~right].max(axis=1).argmax()]
        assert surest_mistake in [example.position for example in chosen if example.kind == "SURE_WRONG"]


def test_the_largest_error_is_among_the_examples_of_a_regression() -> None:
    y = np.arange(20.0)
    chosen = {example.position: example.kind for example in choose_examples(y, y + np.arange(20) ** 2 / 10)}
    assert chosen == {0: "BEST", 1: "BEST", 9: "TYPICAL", 10: "TYPICAL", 19: "WORST", 18: "WORST"}


def table(rows: int, noise: float, hard: bool) -> tuple[Table, np.ndarray]:
    rng = np.random.default_rng(3)
    values = rng.uniform(-3, 3, (rows, 3))
    y = np.sin(4 * values[:, 0]) * values[:, 1] if hard else np.sign(values[:, 0])
    columns = pd.DataFrame(values, columns=["a", "b", "c"])
    return Table(columns, y + noise * rng.normal(size=rows), np.arange(rows)), np.arange(rows) % 5


COLUMNS = [{"name": name, "kind": "number"} for name in "abc"]


def test_more_rows_are_called_helpful_where_half_of_them_taught_less() -> None:
    found = learning_curve(*table(600, 0.1, hard=True), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60)
    assert found.verdict == "HELPS" and found.low > 0 and (found.half, found.rows) == (240, 480)
    assert found == learning_curve(*table(600, 0.1, hard=True), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60)


def test_more_rows_are_not_called_helpful_where_all_that_is_left_is_noise() -> None:
    found = learning_curve(*table(3000, 1.0, hard=False), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60)
    assert found.verdict == "FLAT" and abs(found.cut) < 0.02


def test_of_a_large_table_a_part_tells_that_more_rows_are_of_no_use_but_never_that_they_are() -> None:
    rows = 150_000  # of three columns
    flat = learning_curve(*table(rows, 1.0, hard=False), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60)
    assert flat.verdict == "FLAT" and flat.rows == pytest.approx(400_000 / 3 * 4 / 5, rel=0.01)
    assert learning_curve(*table(rows, 0.0, hard=True), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60) is None
    wide = [{"name": "abc"[place % 3], "kind": "number"} for place in range(900)]
    assert learning_curve(*table(6_000, 1.0, hard=False), wide, "REGRESSION", "RMSE", SEED, seconds=60) is None


def test_nothing_is_said_on_more_rows_from_too_few_or_in_no_time(monkeypatch) -> None:
    assert learning_curve(*table(60, 0.1, hard=True), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=60) is None
    rare = Table(X[["size"]], np.r_[np.zeros(ROWS - 5, int), np.ones(5, int)], np.arange(ROWS))
    assert learning_curve(rare, np.arange(ROWS) % 5, COLUMNS[:1], "BINARY", "ROC_AUC", SEED, seconds=60) is None
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    assert learning_curve(*table(600, 0.1, hard=True), COLUMNS, "REGRESSION", "RMSE", SEED, seconds=0.5) is None


def test_speed_tells_a_calls_own_cost_from_that_of_its_rows_though_the_first_call_loads_things() -> None:
    class Model:
        loaded = False

        def predict_scores(self, rows: pd.DataFrame) -> np.ndarray:
            clock[0] += (0.5 if self.loaded else 3.0) + 0.01 * len(rows)
            self.loaded = True
            return np.zeros(len(rows))

    clock, timed = [0.0], TimedModel(Model())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sproutml_toolkit.speed.time.monotonic", lambda: clock[0])
        timed.warm_up(X)
        careful = timed.speed()
        timed.predict_scores(X)
    assert careful.rows_within(0.4) == timed.speed().rows_within(0.4) == 0
    assert 200 < careful.rows_within(10.51) < 1000
    assert timed.speed().rows_within(10.51) == pytest.approx(1000, rel=0.05)


def test_evenly_spaced_rows_in_order_of_the_target_have_each_class_its_share() -> None:
    y = np.random.default_rng(1).permutation(np.r_[np.zeros(700, int), np.ones(300, int)])
    picked = y[target_order(y, SEED)][evenly_spaced(1000, 20)]
    assert np.bincount(picked).tolist() == [14, 6]
