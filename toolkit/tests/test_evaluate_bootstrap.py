"""The bootstrap interval: one definition of each metric, right coverage, quick."""

import numpy as np
import pytest

from sproutml_toolkit import bootstrap
from sproutml_toolkit.metrics import METRICS_OF_TASK, score

CASES = [
    (task, "PINBALL@0.9" if metric == "PINBALL" else metric) for task, metrics in METRICS_OF_TASK.items() for metric in metrics
]


def rows_of(task: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if task == "REGRESSION":
        y = rng.gamma(2.0, 10.0, rows)
        return y, np.maximum(y + rng.normal(0, 4, rows), 0)
    classes = 2 if task == "BINARY" else 4
    y = rng.choice(classes, rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    # Rounded, so that there are ties to break.
    scores = np.round(rng.dirichlet(np.ones(classes), rows) + 0.7 * np.eye(classes)[y], 1) + 0.05
    return y, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("task", "metric"), CASES)
def test_scores_every_resample_as_the_metric_itself_would(task: str, metric: str) -> None:
    y, scores = rows_of(task, 150, seed=3)
    picks = next(bootstrap.draw(y, task != "REGRESSION", 25, seed=1))
    together = bootstrap.resampler(metric, y, scores)(picks)
    one_by_one = [score(metric, y[pick], scores[pick]) for pick in picks]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("task", "metric"), [("BINARY", "ROC_AUC"), ("MULTICLASS", "LOG_LOSS"), ("REGRESSION", "RMSE")])
def test_covers_the_score_of_the_whole_population_about_as_often_as_it_says(task: str, metric: str) -> None:
    truth = score(metric, *rows_of(task, 200_000, seed=99))
    covered = 0
    for seed in range(100):
        found = bootstrap.interval(metric, *rows_of(task, 250, seed), seed=seed, resamples=300)
        covered += found is not None and found.low <= truth <= found.high
    assert 86 <= covered <= 100


def test_keeps_every_class_in_every_resample_however_rare() -> None:
    y = np.array([0] * 97 + [1] * 3)
    for picks in bootstrap.draw(y, True, 200, seed=0):
        assert (y[picks].sum(axis=1) == 3).all()


def test_gives_the_same_interval_for_the_same_seed_and_another_for_another() -> None:
    y, scores = rows_of("BINARY", 200, seed=1)
    assert bootstrap.interval("ROC_AUC", y, scores, 1) == bootstrap.interval("ROC_AUC", y, scores, 1)
    assert bootstrap.interval("ROC_AUC", y, scores, 1) != bootstrap.interval("ROC_AUC", y, scores, 2)


def test_draws_fewer_resamples_of_very_many_rows_and_says_how_many() -> None:
    y, scores = rows_of("REGRESSION", 50_000, seed=1)
    found = bootstrap.interval("RMSE", y, scores, 1)
    assert found is not None
    assert found.resamples == 400
    assert bootstrap.interval("RMSE", y[:1000], scores[:1000], 1).resamples == 1000


def test_has_no_interval_where_the_metric_is_undefined() -> None:
    y = np.array([-1.0, 2.0, 3.0])
    assert bootstrap.interval("RMSLE", y, y, 1) is None
