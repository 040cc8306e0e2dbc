"""The network that MLP trains: its gradients, its answers, and what a trial of several networks promises."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_folder import JobFolder
from sproutml_toolkit.families.boosting import GUARD_SLACK, Pace
from sproutml_toolkit.families.mlp import MlpEstimator
from sproutml_toolkit.families.network import Training, identity, softmax


def _training(hidden: list[int], outputs: int, link, dropout: float = 0.0, seed: int = 0) -> Training:
    return Training(3, hidden, outputs, dropout, link, np.random.default_rng(seed))


def _batch(rows: int, outputs: int, link, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 3)).astype(np.float32)
    if link is softmax:
        return values, np.eye(outputs, dtype=np.float32)[rng.integers(0, outputs, rows)]
    return values, rng.normal(size=(rows, outputs)).astype(np.float32)


def _loss(layers: list[list[np.ndarray]], values: np.ndarray, targets: np.ndarray, link) -> float:
    """Of a batch, normalized by itself: by the papers' formulas, in double precision."""
    *hidden, (weights, biases) = layers
    for matrix, bias, scale, shift in hidden:
        sums = values @ matrix + bias
        active = np.where(sums > 0, sums, np.expm1(np.minimum(sums, 0)))
        values = (active - active.mean(axis=0)) / np.sqrt(active.var(axis=0) + 1e-5) * scale + shift
    answers = link(values @ weights + biases)
    if link is softmax:
        return float(-np.log(np.sum(answers * targets, axis=1)).mean())
    return float(((answers - targets) ** 2).sum(axis=1).mean() / 2)


@pytest.mark.parametrize(("link", "outputs"), [(softmax, 3), (identity, 1)])
@pytest.mark.parametrize("hidden", [[], [5], [5, 4, 6]])
def test_gradients_are_the_slopes_of_the_loss(hidden: list[int], link, outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    training = _training(hidden, outputs, link)
    values, targets = _batch(40, outputs, link)
    monkeypatch.setattr(training, "_move", lambda learning_rate: None)
    training.step(values, targets, 0.01)
    exact = [[part.astype(float) for part in layer] for layer in training._layers]
    for layer, slopes in zip(exact, training._slopes, strict=True):
        for part, slope in zip(layer, slopes, strict=True):
            for place in np.ndindex(part.shape):
                at = part[place]
                part[place] = at + 1e-5
                above = _loss(exact, values.astype(float), targets, link)
                part[place] = at - 1e-5
                below = _loss(exact, values.astype(float), targets, link)
                part[place] = at
                assert slope[place] == pytest.approx((above - below) / 2e-5, rel=2e-3, abs=2e-5)


def test_a_finished_network_answers_as_training_saw_it() -> None:
    """Running means and variances, folded into the weights, come to those of the only batch there is."""
    training = _training([6, 5], 2, softmax)
    values, targets = _batch(64, 2, softmax)
    for _ in range(300):
        training.step(values, targets, 0.0)
    *hidden, (weights, biases) = training._layers
    expected = values.astype(float)
    for matrix, bias, scale, shift in hidden:
        sums = expected @ matrix + bias
        active = np.where(sums > 0, sums, np.expm1(np.minimum(sums, 0)))
        spread = np.sqrt(active.var(axis=0) + 1e-5)
        expected = (active - active.mean(axis=0)) / spread * scale + shift
    np.testing.assert_allclose(training.network().predict(values), softmax(expected @ weights + biases), atol=1e-4)


def test_a_network_taken_from_training_stays_as_it_was() -> None:
    training = _training([4], 1, identity)
    values, targets = _batch(32, 1, identity)
    training.step(values, targets, 0.1)
    network = training.network()
    before = network.predict(values)
    training.step(values, targets, 0.1)
    np.testing.assert_array_equal(network.predict(values), before)
    assert not np.array_equal(training.network().predict(values), before)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(network)).predict(values), before)


@given(st.integers(1, 40), st.integers(1, 4), st.floats(0, 0.9), st.floats(1e-6, 1e3))
def test_answers_stay_finite_whatever_the_batch(rows: int, outputs: int, dropout: float, size: float) -> None:
    training = _training([7, 7], outputs + 1, softmax, dropout)
    values, targets = _batch(rows, outputs + 1, softmax)
    for _ in range(5):
        training.step(values * np.float32(size), targets, 0.5)
    answers = training.network().predict(values * np.float32(size))
    assert np.isfinite(answers).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-4)


def test_no_rows_get_no_answers() -> None:
    assert _training([4], 3, softmax).network().predict(np.empty((0, 3), np.float32)).shape == (0, 3)
    estimator = MlpEstimator([_training([4], 1, identity).network()], classification=False)
    assert estimator.networks[0].predict(np.zeros((40_000, 3), np.float32)).shape == (40_000, 1)


def test_what_only_depth_can_see_is_learnt(tmp_path) -> None:
    """The sign of a product of three numbers: nothing of it is in any two of them."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 3)).round(3)
    job = JobFolder(tmp_path)
    job.write_rows(["a", "b", "c", "y"], [[*row, "yes" if np.prod(row) > 0 else "no"] for row in rows]).ready("y", metric="ROC_AUC")
    assert job.train("network", "MLP", params={"networks": 1})["score"] > 0.9
    assert job.train("linear", "LINEAR")["score"] < 0.6


def test_several_networks_are_better_than_one_and_fewer_where_time_is_short(mixed: JobFolder) -> None:
    one, several = (
        mixed.train(f"n{count}", "MLP", params={"networks": count, "epochs": 12}, timeLimitSeconds=600) for count in (1, 4)
    )
    assert (one["parameters"]["networks"], several["parameters"]["networks"]) == (1, 4)
    assert several["score"] > one["score"]
    assert several["boundByTime"] is False
    many = {"networks": 500, "epochs": 5}
    hurried = mixed.train("hurried", "MLP", params=many, timeLimitSeconds=4)
    assert 1 <= hurried["parameters"]["networks"] < 500
    assert hurried["boundByTime"] is True


@given(st.floats(1e-3, 1e3), st.floats(0, 1e3))
def test_where_time_is_a_guard_rail_only_a_shortage_beyond_doubt_takes_networks_away(seconds: float, left: float) -> None:
    assert Pace().is_short(seconds, left) == (seconds > left)
    assert Pace(GUARD_SLACK).is_short(seconds, left) == (seconds > GUARD_SLACK * left)
