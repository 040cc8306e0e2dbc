"""MLP: a small neural network on scaled, one-hot features, stopped at its best epoch on the validation part.

Parameters: `hidden` (list of layer sizes), `alpha` (weight decay), `learning_rate`, `batch_size` (None: by rows), `epochs`,
`early_stopping_epochs`.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..features import FeatureEncoder, Matrix
from ..metrics import utility
from .fold import Fold

DEFAULTS: dict[str, Any] = {
    "hidden": [128, 64],
    "alpha": 0.03,
    "learning_rate": 1e-3,
    "batch_size": None,
    "epochs": 200,
    "early_stopping_epochs": 15,
}
STOPS_EARLY = True


class MlpEstimator:
    """A network; values are learnt with mean 0 and deviation 1 and brought back here."""

    def __init__(self, network: Any, classification: bool, offset: float, scale: float, low: float, high: float) -> None:
        self.network = network
        self.classification = classification
        self.offset, self.scale, self.low, self.high = offset, scale, low, high

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        if self.classification:
            return self.network.predict_proba(matrix.values)
        # A network far from its data can say anything: keep a margin around what training saw.
        return np.clip(self.network.predict(matrix.values) * self.scale + self.offset, self.low, self.high)


def fit(fold: Fold, parameters: dict[str, Any]) -> tuple[FeatureEncoder, MlpEstimator, dict[str, Any]]:
    """Train epoch by epoch; keep the weights of the best one."""
    encoder, train, valid = fold.encode("dense")
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
        offset, scale = float(fold.y_train.mean()), float(fold.y_train.std()) or 1.0
        margin = 0.1 * float(np.ptp(fold.y_train))
        low, high = float(fold.y_train.min()) - margin, float(fold.y_train.max()) + margin
    network = (MLPClassifier if fold.is_classification else MLPRegressor)(**options)
    estimator = MlpEstimator(network, fold.is_classification, offset, scale, low, high)
    target = fold.y_train if fold.is_classification else (fold.y_train - offset) / scale
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
    return encoder, estimator, dict(parameters) | {"batch_size": batch, "epochs": epoch + 1 if fold.exact else best_epoch + 1}
