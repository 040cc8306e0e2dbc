"""Sharpening: it lowers the log loss or stays away, never changes what comes first, and holds out what it is scored on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_folder import JobFolder
from sproutml_toolkit import workspace
from sproutml_toolkit.calibration import find_sharpening, sharpened
from sproutml_toolkit.metrics import score
from sproutml_toolkit.model import fitted_model


def modest(rows: int, by: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, probabilities that are the truth to the power of 1 / by, and folds."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet([0.3, 0.3, 0.3], rows).clip(1e-4)
    truth /= truth.sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in truth])
    said = truth ** (1 / by)
    return y, said / said.sum(axis=1, keepdims=True), np.arange(rows) % 5


def test_it_finds_how_much_too_modest_probabilities_are() -> None:
    y, said, folds = modest(4_000, by=2.0)
    sharpening = find_sharpening("LOG_LOSS", y, said, folds)
    assert sharpening.temperature == pytest.approx(0.5, abs=0.05)
    assert score("LOG_LOSS", y, sharpening.oof) < score("LOG_LOSS", y, said) - 0.01


@pytest.mark.parametrize("by", [0.5, 1.0])
def test_it_leaves_alone_what_is_right_or_too_sure(by: float) -> None:
    y, said, folds = modest(4_000, by)
    sharpening = find_sharpening("LOG_LOSS", y, said, folds)
    assert sharpening.temperature > 0.97
    assert score("LOG_LOSS", y, sharpening.oof) <= score("LOG_LOSS", y, said)


def test_it_is_for_log_loss_alone() -> None:
    y, said, folds = modest(200, by=2.0)
    sharpening = find_sharpening("ACCURACY", y, said, folds)
    assert sharpening.temperature == 1.0
    assert sharpening.oof is said


def test_a_fold_is_sharpened_by_what_the_other_folds_say() -> None:
    y, said, folds = modest(1_000, by=2.0)
    first = folds == 0
    flipped = y.copy()
    flipped[np.flatnonzero(first)[:10]] += 1
    flipped %= 3
    one, other = (find_sharpening("LOG_LOSS", target, said, folds).oof[first] for target in (y, flipped))
    assert np.array_equal(one, other)


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=20), st.floats(0.25, 1))
def test_sharpened_rows_are_probabilities_in_the_same_order(rows: list[list[float]], temperature: float) -> None:
    scores = np.array(rows) + 1e-9
    scores /= scores.sum(axis=1, keepdims=True)
    result = sharpened(scores, temperature)
    assert np.allclose(result.sum(axis=1), 1.0)
    assert (np.take_along_axis(result, scores.argmax(axis=1)[:, None], 1)[:, 0] >= result.max(axis=1) - 1e-12).all()


def test_the_models_that_leave_the_job_answer_as_sharply_as_they_were_scored(job: JobFolder) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6))
    rows = [[*(f"{value:.3f}" for value in row), "abc"[int(row[0] > 0) + int(row[1] > 0)]] for row in x]
    job.write_rows([*"uvwxyz", "kind"], rows).ready("kind")
    forest = job.train("forest", "EXTRA_TREES", params={"n_estimators": 50})
    job.train("linear", "LINEAR")
    assert any("sharpened" in note for note in forest["notes"])
    job.ensemble("both", ["forest", "linear"])
    with job.inside():
        for trial_id in ("forest", "both"):
            trial, X = workspace.load_trial(trial_id), workspace.load_train().X
            assert np.allclose(trial.model.predict_scores(X), fitted_model(trial_id).predict_scores(X))
