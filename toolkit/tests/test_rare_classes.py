"""Classes of a few sealed rows make an interval wide, as they should."""

import numpy as np
import pytest
from sproutml_toolkit import bootstrap
from sproutml_toolkit.metrics import labels, score
from sproutml_toolkit.rare_classes import with_unseen

#: Rows of each class, and how often they are answered rightly.
SIZES, HITS = np.array([300, 200, 60, 4, 1]), np.array([0.7, 0.6, 0.5, 0.3, 0.2])


def sealed(seed: int, sizes: np.ndarray = SIZES) -> tuple[np.ndarray, np.ndarray]:
    """Targets and scores; a wrong answer is the commonest other class."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    said = np.where(rng.random(len(y)) < HITS[y], y, (y == 0).astype(int))
    return y, np.eye(len(sizes))[said]


@pytest.mark.parametrize("metric", ["BALANCED_ACCURACY", "F1_MACRO"])
def test_the_interval_covers_the_truth_where_a_class_has_a_single_row(metric: str) -> None:
    truth = score(metric, *sealed(99, SIZES * 3_000)) if metric == "BALANCED_ACCURACY" else None
    expected = HITS.mean() if truth is not None else np.mean([score(metric, *sealed(seed)) for seed in range(500, 900)])
    covered = {"with": 0, "without": 0}
    for seed in range(100):
        y, scores = sealed(seed)
        found = bootstrap.interval(metric, y, scores, seed, resamples=300)
        assert found is not None and found.low <= score(metric, y, scores) <= found.high
        covered["with"] += found.low <= expected <= found.high
        statistic = bootstrap.resampler(metric, y, scores)
        values = np.concatenate([statistic(picks) for picks in bootstrap.draw(y, True, 300, seed)])
        low, high = np.quantile(values, [0.025, 0.975])
        covered["without"] += low <= expected <= high
    assert covered["with"] >= 90
    assert covered["without"] < 80


def test_unseen_rows_are_of_rare_classes_alone_and_once_in_as_many_draws_as_there_are_rows_and_one() -> None:
    y, scores = sealed(3)
    found = with_unseen(y, scores)
    assert found is not None
    assert found.y[len(y) :].tolist() == [3, 3, 4, 4]
    assert (labels(found.scores)[len(y) :] == [3, 0, 4, 0]).all()
    rng = np.random.default_rng(0)
    picks = np.concatenate(list(bootstrap.draw(y, True, 4_000, 1)))
    swapped = found.swap(picks, rng)
    assert (found.y[swapped] == y[picks]).all()
    changed = swapped != picks
    assert not changed[:, y[picks[0]] < 3].any()
    assert changed[:, y[picks[0]] == 3].mean() == pytest.approx(1 / 5, abs=0.02)
    assert changed[:, y[picks[0]] == 4].mean() == pytest.approx(1 / 2, abs=0.03)


def test_other_metrics_and_classes_with_rows_enough_are_as_they_were() -> None:
    y, scores = sealed(3, np.array([30, 20, 10]))
    assert with_unseen(y, scores) is None
    y, scores = sealed(3)
    soft = 0.9 * scores + 0.02
    picks = np.concatenate(list(bootstrap.draw(y, True, 1_000, 5)))
    low, high = np.quantile(bootstrap.resampler("LOG_LOSS", y, soft)(picks), [0.025, 0.975])
    assert bootstrap.interval("LOG_LOSS", y, soft, 5) == bootstrap.Interval(low, high, 0.95, 1_000)
