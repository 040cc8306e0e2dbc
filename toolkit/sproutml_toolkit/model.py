"""What model.pkl holds: everything needed to turn new raw rows into predictions, and nothing of the training rows."""

from typing import Any

import numpy as np
import pandas as pd


class FittedModel:
    """A finished model: how to read each column, the class labels, and the weighted fold models.

    Attributes: task, metric, target, classes (list of labels in the order of the probability columns, or None),
    positive_class (label or None), required_columns (header names it needs), trial_id, family, created_with (versions).
    """

    task: str
    metric: str
    target: str
    classes: list[str] | None
    positive_class: str | None
    required_columns: list[str]
    trial_id: str
    family: str
    created_with: dict[str, str]

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """Raw typed feature rows (as in workspace.Table.X) to (n, n_classes) probabilities or (n,) values."""
        raise NotImplementedError

    def predict(self, raw: pd.DataFrame) -> np.ndarray:
        """(n,) labels (str) or values for raw rows: cells as strings or already typed, missing or unseen, any order."""
        raise NotImplementedError

    def predict_probabilities(self, raw: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) for raw rows, columns in the order of `classes`. Classification only."""
        raise NotImplementedError

    def read_raw(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Raw rows to the typed feature columns the members expect; COLUMNS_MISSING when some are not there."""
        raise NotImplementedError


def fitted_model(trial_id: str) -> FittedModel:
    """The model of a finished trial or ensemble of this job's folder, ready to be pickled as out/model.pkl."""
    raise NotImplementedError


def save_model(model: FittedModel, path: str) -> None:
    """Pickle the model, whole or not at all."""
    raise NotImplementedError


def load_model(path: str) -> FittedModel:
    """Read a model.pkl; MODEL_UNREADABLE when it is none. Unpickling runs code: load only models you trust."""
    raise NotImplementedError


def describe(model: FittedModel) -> dict[str, Any]:
    """Plain facts about the model for people: task, target, columns, members and weights, versions."""
    raise NotImplementedError
