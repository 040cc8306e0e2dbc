"""MLP: a small neural network on scaled, one-hot features, stopped at its best epoch on the validation part.

Parameters: `hidden` (list of layer sizes), `alpha` (weight decay), `learning_rate`, `batch_size` (None: by rows), `epochs`,
`early_stopping_epochs`, `logarithm` (None: whether values are learnt as logarithms is chosen, see logarithm.py).
"""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..features import FeatureEncoder, Matrix
from ..metrics import utility
from .absolute import fenced
from .fold import Fold
from .logarithm import Logarithm, choose_logarithm

DEFAULTS: dict[str, Any] = {
    "hidden": [128, 64],
    "alpha": 0.03,
    "learning_rate": 1e-3,
    "batch_size": None,
    "epochs": 200,
    "early_stopping_epochs": 15,
    "logarithm": None,
}
STOPS_EARLY = True


class MlpEstimator:
    """A network; values, or their logarithms, are learnt with mean 0 and deviation 1 and brought back here."""

    logarithm: Logarithm | None = None

    def __init__(self, network: Any, classification: bool, offset: float, scale: float, low: float, high: float) -> None:
        self.network = network
        self.classification = classification
        self.offset, self.scale, self.low, self.high = offset, scale, low, high

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        if self.classification:
            return self.network.predict_proba(matrix.values)
        # A network far from its data can say anything: keep a margin around what training saw.
        answers = np.clip(self.network.predict(matrix.values) * self.scale + self.offset, self.low, self.high)
        return answers if self.logarithm is None else self.logarithm.values(answers)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, MlpEstimator, dict[str, Any]]:
    """Train epoch by epoch; keep the weights of the best one."""
    encoder, train, valid = fold.encode("dense")
    logarithm = choose_logarithm(train.values, fold, parameters["logarithm"])
    fold = logarithm.learnt(fold) if logarithm else fold
    learnt = fold.y_train if fold.is_classification else fenced(fold.metric, fold.y_train)
    rows = len(fold.y_train)
    batch = int(parameters["batch_size"] or min(max(rows // 50, 16), 256))
    options = {
        "hidden_layer_sizes": tuple(int(size) for size in parameters["hidden"]),
        "alpha": float(parameters["alpha"]),
        "learning_rate_init": float(parameters["learning_rate"]),
        "batch_size": min(batch, rows),
        "random_state": fold.seed,
    }
    offset, scale, low, high = 0.0, 1.0, 0.0, 0.0
    if not fold.is_classification:
        offset, scale = float(learnt.mean()), float(learnt.std()) or 1.0
        margin = 0.1 * float(np.ptp(learnt))
        low, high = float(learnt.min()) - margin, float(learnt.max()) + margin
    network = (MLPClassifier if fold.is_classification else MLPRegressor)(**options)
    estimator = MlpEstimator(network, fold.is_classification, offset, scale, low, high)
    target = learnt if fold.is_classification else (learnt - offset) / scale
    metric = "LOG_LOSS" if fold.is_classification else fold.metric

    best, best_epoch, best_weights = -np.inf, 0, None
    for epoch in range(int(parameters["epochs"])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            if fold.is_classification:
                network.partial_fit(train.values, target, classes=np.arange(fold.n_classes))
            else:
                network.partial_fit(train.values, target)
        if fold.exact:
            continue
        value = utility(metric, fold.y_valid, estimator.predict_scores(valid))
        if best_weights is None or value > best:
            best, best_epoch = value, epoch
            best_weights = [array.copy() for array in network.coefs_ + network.intercepts_]
        if epoch - best_epoch >= int(parameters["early_stopping_epochs"]):
            break
        if fold.is_late():
            fold.pace.bound = True
            break
    if best_weights is not None:
        layers = len(network.coefs_)
        network.coefs_, network.intercepts_ = best_weights[:layers], best_weights[layers:]
    # The optimizer's moments are twice the weights, and of use to further training only.
    network._optimizer = None
    estimator.logarithm = logarithm
    epochs = epoch + 1 if fold.exact else best_epoch + 1
    return encoder, estimator, dict(parameters) | {
        "batch_size": batch, "epochs": epochs, "logarithm": logarithm is not None,
    }  # fmt: skip
