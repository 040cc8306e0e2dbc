"""One fold of one trial: what a family gets to fit, and what it gives back."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..features import FeatureEncoder, Matrix
from ..generated import GeneratingEncoder
from .boosting import Pace


Encoder = FeatureEncoder | GeneratingEncoder


class Estimator(Protocol):
    """A fitted learner over encoded rows."""

    def predict_scores(self, matrix: Matrix) -> np.ndarray:
        """(n, classes in training) probabilities or (n,) values, in the units the family was given `y` in."""
        ...


@dataclass
class Fold:
    """The rows and circumstances of one fit.

    y_train, y_valid: class numbers 0..n_classes-1, every class present in y_train, or values. Validation rows whose class
    training has never seen are left out of X_valid; they are scored, but can't steer early stopping.
    exact: there are no validation rows: fit just the rounds or epochs that the parameters say.
    deadline: time.monotonic() at which to stop adding rounds, or None. say: progress within this fold, 0 to 1.
    groups: (training rows,) the group or stretch of time of each, where rows are split so: what is chosen or encoded inside keeps
    them whole.
    pace: what the trial's folds agree on where time is short; one for all of them. most_rows: where the fold is a
    sample of the rows there are, as many as were asked for; None otherwise.
    """

    X_train: pd.DataFrame
    y_train: np.ndarray
    X_valid: pd.DataFrame
    y_valid: np.ndarray
    task: str
    metric: str
    n_classes: int
    features: list[dict[str, Any]]
    seed: int
    threads: int
    exact: bool = False
    deadline: float | None = None
    say: Callable[[float, str], None] = lambda fraction, message: None
    notes: list[str] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)
    most_rows: int | None = None
    groups: np.ndarray | None = None

    def encode(self, form: str, generate: bool = False) -> tuple[Encoder, Matrix, Matrix]:
        """Fit an encoder on the training rows; return it with the training and validation matrices.

        generate: see generated.py; for the native form.
        """
        plain = FeatureEncoder(self.features, form, self.task, self.seed, first_look=self.most_rows is not None)
        encoder = GeneratingEncoder(plain) if generate else plain
        train = encoder.fit_transform(self.X_train, self.y_train, self.groups)
        # Scalers refuse tables without rows.
        valid = Matrix(train.values[:0], train.categorical) if self.exact else encoder.transform(self.X_valid)
        return encoder, train, valid

    def is_late(self) -> bool:
        """True once the fold's time is up."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    @property
    def seconds_left(self) -> float:
        """Until the fold's deadline; infinite without one."""
        return math.inf if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    @property
    def is_classification(self) -> bool:
        return self.task != "REGRESSION"


@dataclass
class FoldModel:
    """A fitted fold: encoder and estimator, answering in all classes of the task and in the target's own units.

    present: the task's class numbers the training rows had, in order; None for regression. logarithm: the estimator
    learnt log(1 + y). offset, scale: what it learnt was then less the one and over the other.
    """

    encoder: Encoder | None
    estimator: Estimator
    n_classes: int | None
    present: np.ndarray | None
    absent_probability: float = 0.0
    logarithm: bool = False
    offset: float = 0.0
    scale: float = 1.0

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values for raw typed rows."""
        matrix = self.encoder.transform(X) if self.encoder else Matrix(np.empty((len(X), 0), np.float32), [])
        scores = np.asarray(self.estimator.predict_scores(matrix), dtype=float)
        if self.present is None or self.n_classes is None:
            scores = scores * self.scale + self.offset
            return np.maximum(np.expm1(scores), 0.0) if self.logarithm else scores
        if len(self.present) == self.n_classes:
            return scores
        # A class no training row had: rare, not impossible.
        absent = self.n_classes - len(self.present)
        full = np.full((len(X), self.n_classes), self.absent_probability)
        full[:, self.present] = scores * (1.0 - absent * self.absent_probability)
        return full
