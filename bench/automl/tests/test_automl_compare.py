"""The paired tests are those of the papers they name."""

import math

import numpy as np
import pytest
from automl_bench.compare import corrected_t_test, outcome, ranks, signed_rank_test
from scipy import stats

GAINS = np.array([0.021, 0.013, -0.004, 0.018, 0.009, 0.025, 0.011, 0.002, 0.016, 0.007])


def test_the_correction_widens_the_variance_by_test_over_train_rows() -> None:
    plain = stats.ttest_1samp(GAINS, 0)
    # Ten folds: the plain test divides the variance by 10; the corrected one takes 1/10 + 1/9 of it.
    t = plain.statistic * math.sqrt((1 / 10) / (1 / 10 + 1 / 9))
    assert corrected_t_test(GAINS, 10) == pytest.approx(2 * stats.t.sf(t, 9))
    assert corrected_t_test(GAINS, 10) > plain.pvalue
    # Of ten folds three: the variance of three, the overlap of ten.
    t = stats.ttest_1samp(GAINS[:3], 0).statistic * math.sqrt((1 / 3) / (1 / 3 + 1 / 9))
    assert corrected_t_test(GAINS[:3], 10) == pytest.approx(2 * stats.t.sf(t, 2))


def test_it_seldom_finds_a_difference_where_there_is_none() -> None:
    rng = np.random.default_rng(0)
    # Folds that share what makes a run lucky, as training rows that overlap do: correlation 1/10 for ten folds.
    shared = rng.normal(size=(1000, 1)) * math.sqrt(0.1)
    runs = shared + rng.normal(size=(1000, 10)) * math.sqrt(0.9)
    found = np.mean([corrected_t_test(run, 10) < 0.05 for run in runs])
    plain = np.mean([stats.ttest_1samp(run, 0).pvalue < 0.05 for run in runs])
    assert found < 0.06 < plain


def test_no_spread_and_too_few_folds() -> None:
    assert corrected_t_test(np.zeros(5), 5) == 1.0
    assert corrected_t_test(np.full(5, 0.25), 5) == 0.0
    assert math.isnan(corrected_t_test(np.array([0.1]), 5))


def test_a_win_is_better_by_the_metric_s_own_direction() -> None:
    low, high = np.full(10, 0.5), np.full(10, 0.5) + GAINS
    assert outcome(high, low, 10, lower_is_better=False)[0] == "win"
    assert outcome(high, low, 10, lower_is_better=True)[0] == "loss"
    assert outcome(low, high, 10, lower_is_better=True)[0] == "win"
    assert outcome(low, low, 10, lower_is_better=True)[0] == "tie"
    assert outcome(high[:1], low[:1], 10, lower_is_better=False)[0] == "tie"


def test_datasets_are_compared_by_signed_ranks_of_relative_differences() -> None:
    ours = np.array([0.90, 0.80, 500.0, 2.0, 0.30, 0.85, 21.0])
    theirs = np.array([0.89, 0.79, 520.0, 2.1, 0.35, 0.86, 22.0])
    lower = np.array([False, False, True, True, True, False, True])
    relative = [0.01 / 0.90, 0.01 / 0.80, 20 / 520, 0.1 / 2.1, 0.05 / 0.35, -0.01 / 0.86, 1 / 22]
    assert signed_rank_test(ours, theirs, lower) == pytest.approx(stats.wilcoxon(relative).pvalue)
    assert signed_rank_test(ours, ours, lower) == 1.0
    assert math.isnan(signed_rank_test(ours[:5], theirs[:5], lower[:5]))


def test_ranks_share_ties_and_put_failures_last() -> None:
    assert ranks([0.3, 0.1, None, 0.3], lower_is_better=True) == [2.5, 1.0, 4.0, 2.5]
    assert ranks([0.3, 0.1, None, None], lower_is_better=False) == [1.0, 2.0, 3.5, 3.5]
