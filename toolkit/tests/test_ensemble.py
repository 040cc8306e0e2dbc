"""The greedy selection: which trials, by which rows."""

import numpy as np
import pytest

from sproutml_toolkit import ensemble
from sproutml_toolkit.ensemble import greedy_selection

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
