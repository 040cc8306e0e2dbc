"""Intervals of rows that resemble each other: groups and stretches of time are drawn whole, and cover as often as they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sproutml_toolkit import bootstrap
from sproutml_toolkit.importance import permutation_importance
from sproutml_toolkit.metrics import score
from sproutml_toolkit.resampling import Units, block_length, groups_of, units_of
from sproutml_toolkit.speed import TimedModel
from sproutml_toolkit.workspace import Table


def table(y: np.ndarray, groups: np.ndarray | None = None, moments: np.ndarray | None = None) -> Table:
    return Table(pd.DataFrame({"x": y}), y, np.arange(len(y)), groups, moments)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=20), st.integers(1, 6), st.integers(0, 9))
def test_a_resample_holds_whole_units_and_neighbours_together(sizes: list[int], length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    length = min(length, len(sizes))
    units = Units("TIMES", numbers, len(sizes), length)
    for rows in units.draw(5, rng):
        times_drawn = np.bincount(rows, minlength=len(numbers))
        for unit in range(len(sizes)):
            assert len(set(times_drawn[numbers == unit])) == 1
        runs = numbers[rows]
        drawn = runs[np.r_[True, np.diff(runs) != 0]]
        assert sum(times_drawn[numbers == unit][0] for unit in range(len(sizes))) == len(sizes)
        for place in range(1, len(drawn)):
            follows = drawn[place] == (drawn[place - 1] + 1) % len(sizes)
            assert follows or length < len(sizes) or place % length == 0


def of_groups(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, answers, groups): the answers are off by a constant for each of `count` groups, and little besides."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(count), rng.integers(5, 40, count))
    off = rng.normal(size=count)[groups] + 0.3 * rng.normal(size=len(groups))
    y = rng.normal(size=len(groups))
    return y, y + off, groups


@pytest.mark.parametrize("count", [6, 30])
def test_intervals_of_groups_cover_the_truth_where_those_of_rows_do_not(count: int) -> None:
    y, answers, _ = of_groups(20_000, seed=1)
    truth = score("MAE", y, answers)
    covered = {"groups": 0, "rows": 0}
    for seed in range(100):
        y, answers, groups = of_groups(count, seed + 10)
        for name, units in (("groups", units_of(table(y, groups), answers)), ("rows", None)):
            found = bootstrap.interval("MAE", y, answers, seed, resamples=300, units=units)
            covered[name] += found is not None and found.low <= truth <= found.high
    assert covered["groups"] >= 86
    assert covered["rows"] < 70


def of_times(count: int, seed: int, memory: float) -> tuple[np.ndarray, np.ndarray]:
    """(y, answers) in their order: the size of an error is much like that of the one before, the more the closer `memory` is to 1."""
    rng = np.random.default_rng(seed)
    size = np.zeros(count + 50)
    for place in range(1, len(size)):
        size[place] = memory * size[place - 1] + np.sqrt(1 - memory**2) * rng.normal()
    y = rng.normal(size=count)
    return y, y + np.exp(size[50:] / 2)


def test_intervals_of_stretches_cover_the_truth_where_those_of_rows_do_not() -> None:
    truth = score("MAE", *of_times(200_000, 1, 0.9))
    covered = {"stretches": 0, "rows": 0}
    for seed in range(100):
        y, answers = of_times(300, seed + 10, 0.9)
        for name, units in (("stretches", units_of(table(y, moments=np.arange(300)), answers)), ("rows", None)):
            found = bootstrap.interval("MAE", y, answers, seed, resamples=300, units=units)
            covered[name] += found is not None and found.low <= truth <= found.high
    assert covered["stretches"] >= 80
    assert covered["rows"] < 60


def test_blocks_are_as_long_as_errors_resemble_each_other() -> None:
    lengths = {memory: np.median([block_length(np.abs(np.subtract(*of_times(600, seed, memory)))) for seed in range(20)]) for memory in (0.0, 0.6, 0.95)}
    assert lengths[0.0] <= 2 < lengths[0.6] < lengths[0.95]
    assert block_length(np.ones(40)) == block_length(np.arange(2.0)) == 1
    assert block_length(np.arange(30.0)) <= 10


def test_rows_of_the_same_time_are_drawn_together_and_too_few_times_are_not_drawn_at_all() -> None:
    y = np.arange(60.0)
    found = units_of(table(y, moments=np.arange(60) // 3), y)
    assert found is not None and found.kind == "TIMES" and found.count == 20
    assert units_of(table(y, moments=np.arange(60) // 15), y) is None
    assert units_of(table(y), y) is None


def test_one_group_has_no_interval_and_two_have_the_widest() -> None:
    y, answers, groups = of_groups(2, 3)
    assert bootstrap.interval("MAE", y, answers, 1, units=units_of(table(y, groups * 0), answers)) is None
    found = bootstrap.interval("MAE", y, answers, 1, units=units_of(table(y, groups), answers))
    assert found is not None
    apart = sorted(score("MAE", y[groups == group], answers[groups == group]) for group in (0, 1))
    assert [found.low, found.high] == pytest.approx(apart)


def test_resamples_without_a_class_are_left_out() -> None:
    groups = np.repeat(np.arange(12), 5)
    y = (groups < 2).astype(int)
    scores = np.stack([1 - 0.3 - 0.4 * y, 0.3 + 0.4 * y], axis=1)
    found = bootstrap.interval("ROC_AUC", y, scores, 1, units=units_of(table(y, groups), scores))
    assert found is not None and (found.low, found.high) == (1.0, 1.0)


class Follows:
    """Answers with the column x."""

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        return X["x"].to_numpy()


def test_the_importance_of_a_column_that_some_groups_alone_follow_is_unsure() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(10), 40)
    x = rng.normal(size=400)
    y = np.where(groups < 5, x, rng.normal(size=400))
    X, model = pd.DataFrame({"x": x}), TimedModel(Follows())
    model.warm_up(X)
    widths = []
    for of in (None, groups):
        found = permutation_importance(model, X, y, x, "MAE", None, ["x"], model.speed(), 1, 60.0, of).entries[0]
        assert found.low <= found.mean <= found.high
        widths.append(found.high - found.low)
    assert widths[1] > 1.5 * widths[0]


def test_filled_resamples_hold_as_many_rows_as_there_are_in_groups_whole_but_the_last() -> None:
    groups = np.repeat([0, 1, 2], [5, 30, 2])
    picks = groups_of(groups).draw_filled(50, np.random.default_rng(0))
    assert picks.shape == (50, 37)
    for rows in picks:
        drawn = np.bincount(rows, minlength=37)
        last = groups[rows[-1]]
        assert all(len(set(drawn[groups == group])) == 1 for group in range(3) if group != last)
