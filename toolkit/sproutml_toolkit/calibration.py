"""Probabilities that shy away from what is known are sharpened: one temperature, where log loss is what counts.

Averages are too modest: a forest's, over its trees, and an ensemble's, over its members. Dividing the logarithms of the
probabilities by a temperature below 1 undoes it and never changes which class comes first. Temperatures above 1 are not
taken: out-of-fold scores come from one fold's model each, and averaging the folds' models softens new rows' scores anyway.

Source: Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from .metrics import score
from .workspace import Scorer

_SHARPEST = 0.25
# So many rows tell one number well enough.
_MOST_ROWS = 20_000
_FLOOR = 1e-7


@dataclass(frozen=True)
class Sharpening:
    """A temperature in (0, 1], and the out-of-fold scores (n, n_classes) under it.

    Each fold's scores are sharpened by the temperature that the other folds ask for, so that their log loss is as honest as
    it was before.
    """

    temperature: float
    oof: np.ndarray


@dataclass
class SharpenedModel:
    """A model whose probabilities are sharpened."""

    model: Scorer
    temperature: float

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities."""
        return sharpened(self.model.predict_scores(X), self.temperature)


def find_sharpening(metric: str, y: np.ndarray, oof: np.ndarray, folds: np.ndarray) -> Sharpening:
    """The sharpening that lowers the log loss of `oof` (n, n_classes); temperature 1 where none does or another metric counts.

    y: (n,) class numbers. folds: (n,) the fold each row was held out in.
    """
    if metric != "LOG_LOSS":
        return Sharpening(1.0, oof)
    crossed = np.empty_like(oof)
    for fold in np.unique(folds):
        held = folds == fold
        crossed[held] = sharpened(oof[held], _temperature(y[~held], oof[~held]))
    if score(metric, y, crossed) >= score(metric, y, oof):
        return Sharpening(1.0, oof)
    return Sharpening(_temperature(y, oof), crossed)


def sharpened(scores: np.ndarray, temperature: float) -> np.ndarray:
    """(n, n_classes) probabilities to the power of 1 / temperature, summing to 1 again; whatever it is given at temperature 1."""
    if temperature == 1.0:
        return scores
    logits = np.log(np.clip(scores, _FLOOR, 1.0)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _temperature(y: np.ndarray, oof: np.ndarray) -> float:
    step = -(-len(y) // _MOST_ROWS)
    y, oof = y[::step], oof[::step]
    found = minimize_scalar(
        lambda logarithm: score("LOG_LOSS", y, sharpened(oof, float(np.exp(logarithm)))),
        bounds=(np.log(_SHARPEST), 0.0),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))
