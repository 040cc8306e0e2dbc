"""The greedy selection: which trials, by which rows."""

import numpy as np
import pytest

from sproutml_toolkit import ensemble
from sproutml_toolkit.ensemble import choose_weights, greedy_selection
from sproutml_toolkit.metrics import score

RNG = np.random.default_rng(5)


def answers(y: np.ndarray, noise: float) -> np.ndarray:
    """(n, 2) probabilities that know the class, the less so the more noise."""
    positive = 1.0 / (1.0 + np.exp(-(2.0 * y - 1.0 + RNG.normal(scale=noise, size=len(y)))))
    return np.column_stack([1.0 - positive, positive])


@pytest.mark.parametrize("metric", ["ROC_AUC", "LOG_LOSS"])
def test_a_part_of_many_rows_chooses_much_as_all_do(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y = (RNG.random(120_000) < 0.1).astype(int)
    oofs = [answers(y, noise) for noise in (1.0, 1.0, 6.0)]
    monkeypatch.setattr(ensemble, "_SELECTION_MICROS", 1e4)
    few = greedy_selection(oofs, y, metric, 10)
    monkeypatch.setattr(ensemble, "_SELECTION_MICROS", 1e9)
    every = greedy_selection(oofs, y, metric, 10)
    assert few[2] == every[2] == 0  # the one that knows least
    assert np.all(few[:2] > 0) and np.all(every[:2] > 0)


def test_all_rows_choose_where_there_is_time() -> None:
    y = np.zeros(20_000, dtype=int)
    assert ensemble._deciding_rows([np.zeros((20_000, 2))] * 60, y, "ROC_AUC", 40) is None
    assert ensemble._deciding_rows([np.zeros(20_000)] * 60, y, "RMSE", 40) is None


@pytest.mark.parametrize(("metric", "classes"), [("ROC_AUC", 2), ("ROC_AUC", 5), ("LOG_LOSS", 3), ("RMSE", 1)])
def test_what_chooses_is_bounded_whatever_the_table(metric: str, classes: int) -> None:
    y = RNG.integers(0, max(classes, 2), 3_000_000)
    oof = np.broadcast_to(np.float32(0), (len(y), classes) if classes > 1 else len(y))
    rows, fewer = (ensemble._deciding_rows([oof] * trials, y, metric, 40) for trials in (4, 8))
    assert rows is not None and len(rows) <= 2_000_000 and np.all(np.diff(rows) > 0)
    assert fewer is not None and len(fewer) == pytest.approx(len(rows) / 2, abs=classes)
    assert np.bincount(y[rows]) / len(rows) == pytest.approx(np.bincount(y) / len(y), abs=1e-3)


@pytest.mark.parametrize("metric", ["ROC_AUC", "PR_AUC"])
def test_all_of_a_rare_class_choose(metric: str) -> None:
    y = (RNG.random(400_000) < 1e-4).astype(int)
    oofs = [answers(y, noise) for noise in (3.0, 0.5)]
    rows = ensemble._deciding_rows(oofs * 12, y, metric, 40)
    assert rows is not None and len(rows) < 60_000
    assert y[rows].sum() == y.sum() > 20
    assert greedy_selection(oofs * 12, y, metric, 3)[1::2].sum() > 0


def test_of_few_rows_alike_trials_count_alike() -> None:
    """One selection follows chance; whoever is just as good gets a share."""
    y = (RNG.random(400) < 0.4).astype(int)
    oofs = [answers(y, 3.0) for _ in range(12)]
    weights = choose_weights(oofs, y, "ROC_AUC", 40)
    assert weights.sum() == pytest.approx(1.0) and np.count_nonzero(weights) >= 10
    greedy = greedy_selection(oofs, y, "ROC_AUC", 40)
    new = (RNG.random(20_000) < 0.4).astype(int)
    unseen = [answers(new, 3.0) for _ in range(12)]
    scores = [score("ROC_AUC", new, np.sum([w * oof for w, oof in zip(each / each.sum(), unseen)], axis=0)) for each in (weights, greedy)]
    assert scores[0] > scores[1]


def test_of_few_rows_no_trial_is_put_before_its_ensemble_by_luck() -> None:
    for _ in range(6):
        y = (RNG.random(200) < 0.4).astype(int)
        oofs = [answers(y, 3.0) for _ in range(20)]
        weights = choose_weights(oofs, y, "ROC_AUC", 40)
        together = score("ROC_AUC", y, np.sum([w * oof for w, oof in zip(weights, oofs)], axis=0))
        assert together >= max(score("ROC_AUC", y, oof) for oof in oofs)


@pytest.mark.parametrize("metric", ["LOG_LOSS", "RMSE"])
def test_of_few_rows_a_bad_trial_counts_for_nothing_all_the_same(metric: str) -> None:
    y = (RNG.random(600) < 0.4).astype(int)
    good, bad = answers(y, 0.5), answers(y, 30.0)
    if metric == "RMSE":
        y, good, bad = y.astype(float), good[:, 1], bad[:, 1]
    weights = choose_weights([bad, good, bad], y, metric, 40)
    assert weights[1] > 0.95


@pytest.mark.parametrize(("rows", "metric"), [(12, "ROC_AUC"), (5, "LOG_LOSS"), (4, "RMSE")])
def test_weights_come_of_the_fewest_rows(rows: int, metric: str) -> None:
    y = np.array([1, *[0] * (rows - 1)])  # one row of a class: no half ranks both
    oofs = [answers(y, 1.0) for _ in range(3)]
    if metric == "RMSE":
        y, oofs = y.astype(float), [oof[:, 1] for oof in oofs]
    weights = choose_weights(oofs, y, metric, 40)
    assert weights.sum() == pytest.approx(1.0) and np.all(weights >= 0)
    assert np.array_equal(weights, choose_weights(oofs, y, metric, 40))
