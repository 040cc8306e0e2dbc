"""When boosters stop, and what the folds of a trial agree on where time is short."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_folder import JobFolder
from sproutml_toolkit.families.boosting import GUARD_SLACK, EarlyStopping, Pace, patience


def rounds_of(losses: list[float], most: int = 300) -> tuple[int, int]:
    """After which round it stopped, and which was best."""
    stopping = EarlyStopping(most)
    for round, loss in enumerate(losses, 1):
        if stopping.is_over(round, -loss):
            return round, stopping.best_round
    return len(losses), stopping.best_round


def test_it_waits_as_long_as_the_model_took_to_get_there() -> None:
    assert rounds_of([1.0 / round for round in range(1, 101)] + [1.0] * 1_000) == (250, 100)
    assert rounds_of([1.0] * 1_000) == (52, 1)


def test_a_loss_that_creeps_down_by_nothing_is_not_followed_for_ever() -> None:
    creeping = [0.5 + 0.5**round for round in range(1, 50)] + [0.5 - 1e-9 * round for round in range(10_000)]
    stopped, best = rounds_of(creeping)
    assert stopped < 100
    assert best == stopped  # what it had gained until then is kept


@given(st.integers(1, 10**7))
def test_the_longest_wait_is_within_reason(rows: int) -> None:
    assert 20 <= patience(rows) <= 300


@given(st.floats(1e-6, 100), st.floats(0, 10_000), st.floats(0.001, 0.5))
def test_a_rate_is_never_lowered_and_raised_only_where_the_journey_would_not_end(
    seconds_per_round: float, seconds_left: float, rate: float
) -> None:
    agreed = Pace().agree(seconds_per_round, seconds_left, rate, journey=15.0)
    assert rate <= agreed <= max(rate, 0.25)
    if seconds_left / seconds_per_round > 15.0 / rate + 1:
        assert agreed == rate


def test_all_folds_take_what_the_first_settled() -> None:
    pace = Pace()
    assert pace.agree(0.1, 15.0, 0.05, journey=15.0) == pytest.approx(0.1, rel=0.01)
    assert pace.agree(0.1, math.inf, 0.05, journey=15.0) == pytest.approx(0.1, rel=0.01)
    pace.cut(40)
    pace.cut(90)
    assert pace.most_rounds == 40


@pytest.mark.parametrize("name", ["LIGHTGBM", "CATBOOST"])
def test_a_short_limit_makes_larger_steps_in_every_fold_and_says_so(mixed: JobFolder, name: str) -> None:
    params = {"learning_rate": 1e-4, "rounds": 10_000}
    result = mixed.train("short", name, params=params, timeLimitSeconds=1.0)
    assert 1e-4 < result["parameters"]["learning_rate"] <= 0.25
    assert any("learning rate of 0.0001" in note for note in result["notes"])


def test_without_a_limit_the_rate_stays_as_it_was_asked(mixed: JobFolder) -> None:
    for name in ("LIGHTGBM", "CATBOOST"):
        result = mixed.train("free", name, params={"learning_rate": 0.04, "rounds": 30}, timeLimitSeconds=None)
        assert result["parameters"]["learning_rate"] == 0.04
        assert result["notes"] == []


def test_a_table_on_which_no_split_is_left_ends_with_what_there_is(mixed: JobFolder) -> None:
    result = mixed.train("stuck", "LIGHTGBM", params={"min_gain_to_split": 1e9})
    assert 0.0 <= result["score"] <= 1.0


@given(st.floats(1e-6, 100), st.floats(0, 10_000), st.floats(0.001, 0.25))
def test_where_time_is_a_guard_rail_only_a_shortage_beyond_doubt_raises_the_rate(
    seconds_per_round: float, seconds_left: float, rate: float
) -> None:
    pace = Pace(GUARD_SLACK)
    agreed = pace.agree(seconds_per_round, seconds_left, rate, journey=15.0)
    if seconds_left / seconds_per_round > 15.0 / rate / GUARD_SLACK + 1:
        assert agreed == rate
    assert pace.bound == (agreed > rate)


@pytest.mark.parametrize(("name", "params"), [("LIGHTGBM", {"learning_rate": 1e-4}), ("MLP", {"epochs": 10_000, "early_stopping_epochs": 9_999})])
def test_a_trial_says_whether_time_changed_it(mixed: JobFolder, name: str, params: dict) -> None:
    assert mixed.train("hurried", name, params=params, timeLimitSeconds=1.0)["boundByTime"] is True
    calm = {"rounds": 30} if name == "LIGHTGBM" else {"epochs": 5}
    assert mixed.train("calm", name, params=calm, timeLimitSeconds=600)["boundByTime"] is False
