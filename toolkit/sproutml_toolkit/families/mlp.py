"""MLP: small neural networks on scaled, one-hot features, trained side by side and stopped where their mean is best.

Defaults are AutoGluon's best configuration of its network on tables (NN_TORCH r79 of its portfolio), with more dropout. Mean of four
splits, sealed rows: vehicle's log loss is .293 for .308 of one network and .316 of the kernel machine; scikit-learn's MLPClassifier,
which has neither normalization nor dropout, lost .36 where one of these lost .30.

Parameters: `hidden` (list of layer sizes), `dropout` (share of a layer's answers left out in training), `learning_rate`,
`batch_size` (None: by rows), `epochs`, `early_stopping_epochs` (None: by rows), `networks` (how many; fewer where time is short),
`logarithm` (None: whether values are learnt as logarithms is chosen, see logarithm.py).
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..features import FeatureEncoder, Matrix
from ..metrics import utility
from .absolute import fenced
from .fold import Fold
from .logarithm import Logarithm, choose_logarithm
from .network import Network, Training, identity, softmax

DEFAULTS: dict[str, Any] = {
    "hidden": [108, 108, 108, 108],
    "dropout": 0.2,
    "learning_rate": 2.7e-3,
    "batch_size": None,
    "epochs": 400,
    "early_stopping_epochs": None,
    "networks": 4,
    "logarithm": None,
}
STOPS_EARLY = True

_BATCHES, _LEAST_BATCH, _MOST_BATCH = 20, 32, 256
_PATIENCE, _LEAST_PATIENCE, _PATIENT_ROWS = 20, 8, 10_000
# The best of many noisy scores of few rows is half luck, and an ensemble would believe it: epochs are judged with their neighbours.
_NEIGHBOURS = 5
# How many networks there is time for is asked after the first one's first epoch.
_LIKELY_EPOCHS = 40


@dataclass
class MlpEstimator:
    """Networks; values, or their logarithms, are learnt with mean 0 and deviation 1 and brought back here."""

    networks: list[Network]
    classification: bool
    offset: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    logarithm: Logarithm | None = None

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        answers = np.mean([network.predict(matrix.values) for network in self.networks], axis=0, dtype=float)
        if self.classification:
            return answers / answers.sum(axis=1, keepdims=True)
        # A network far from its data can say anything: keep a margin around what training saw.
        values = np.clip(answers[:, 0] * self.scale + self.offset, self.low, self.high)
        return values if self.logarithm is None else self.logarithm.values(values)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, MlpEstimator, dict[str, Any]]:
    """Train epoch by epoch; keep the networks of the best one."""
    encoder, train, valid = fold.encode("dense")
    logarithm = choose_logarithm(train.values, fold, parameters["logarithm"])
    fold = logarithm.learnt(fold) if logarithm else fold
    rows = len(fold.y_train)
    parameters = parameters | {
        "batch_size": int(parameters["batch_size"] or min(max(rows // _BATCHES, _LEAST_BATCH), _MOST_BATCH)),
        "early_stopping_epochs": int(parameters["early_stopping_epochs"] or _patience(rows)),
        "logarithm": logarithm is not None,
    }
    targets, as_learnt = _targets(fold)
    team = _Team(train.values, targets, fold, parameters)

    metric = "LOG_LOSS" if fold.is_classification else fold.metric
    best, best_epoch, estimator = -np.inf, int(parameters["epochs"]), None
    recent: deque[tuple[float, MlpEstimator]] = deque(maxlen=_NEIGHBOURS)
    for epoch in range(1, int(parameters["epochs"]) + 1):
        team.epoch()
        if fold.exact:
            continue
        now = MlpEstimator(team.networks(), fold.is_classification, **as_learnt)
        recent.append((utility(metric, fold.y_valid, now.predict_scores(valid)), now))
        value, middle = float(np.mean([each for each, _ in recent])), len(recent) // 2
        if estimator is None or value > best:
            best, best_epoch, estimator = value, epoch - (len(recent) - 1 - middle), recent[middle][1]
        if epoch - best_epoch >= parameters["early_stopping_epochs"]:
            break
        if fold.is_late():
            fold.pace.bound = True
            break
    if estimator is None:
        estimator = MlpEstimator(team.networks(), fold.is_classification, **as_learnt)
    estimator.logarithm = logarithm
    return encoder, estimator, parameters | {"epochs": best_epoch, "networks": len(estimator.networks)}


def _patience(rows: int) -> int:
    """Epochs without gain before stopping: fewer where each has many steps."""
    return max(_LEAST_PATIENCE, min(_PATIENCE, round(_PATIENCE * (_PATIENT_ROWS / rows) ** 0.5)))


def _targets(fold: Fold) -> tuple[np.ndarray, dict[str, float]]:
    """What networks are to learn, (n, outputs) float32, and how an estimator brings it back."""
    if fold.is_classification:
        return np.eye(fold.n_classes, dtype=np.float32)[fold.y_train], {}
    learnt = fenced(fold.metric, fold.y_train)
    offset, scale = float(learnt.mean()), float(learnt.std()) or 1.0
    margin = 0.1 * float(np.ptp(learnt))
    ends = {"low": float(learnt.min()) - margin, "high": float(learnt.max()) + margin}
    return ((learnt - offset) / scale).astype(np.float32)[:, None], {"offset": offset, "scale": scale, **ends}


class _Team:
    """Networks that learn the same rows, each from its own start and in its own order."""

    def __init__(self, values: np.ndarray, targets: np.ndarray, fold: Fold, parameters: dict[str, Any]) -> None:
        self._values, self._targets, self._fold = values, targets, fold
        self._batches = max(len(targets) // parameters["batch_size"], 1)
        self._learning_rate = float(parameters["learning_rate"])
        hidden = [int(size) for size in parameters["hidden"]]
        link = softmax if fold.is_classification else identity
        self._rngs = np.random.default_rng(fold.seed).spawn(max(int(parameters["networks"]), 1))
        self._trainings = [
            Training(values.shape[1], hidden, targets.shape[1], float(parameters["dropout"]), link, rng) for rng in self._rngs
        ]
        self._is_new = True

    def epoch(self) -> None:
        """Every row once more for every network; the first time, networks there is no time for are given up."""
        for place, training in enumerate(self._trainings):
            started = time.monotonic()
            # All batches are as long: one of a single row could not be normalized.
            for batch in np.array_split(self._rngs[place].permutation(len(self._targets)), self._batches):
                training.step(self._values[batch], self._targets[batch], self._learning_rate)
            if self._is_new:
                self._is_new = False
                self._keep_affordable(_LIKELY_EPOCHS * (time.monotonic() - started))

    def _keep_affordable(self, seconds_each: float) -> None:
        left, pace = self._fold.seconds_left, self._fold.pace
        if len(self._trainings) > 1 and pace.is_short(seconds_each * len(self._trainings), left):
            pace.bound = True
            del self._trainings[max(int(left / seconds_each), 1) :]

    def networks(self) -> list[Network]:
        """As they stand."""
        return [training.network() for training in self._trainings]
