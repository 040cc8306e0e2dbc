"""What model.pkl holds: everything needed to turn new raw rows into predictions, and nothing of the training rows."""

import importlib.metadata
import pickle
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import __version__, workspace
from .agent_code.model import codes_of
from .calibration import sharpened
from .columns import ColumnType, as_written, typed
from .label_rule import rule_of, threshold, weighed
from .metrics import labels
from .stacking import weighed_answers
from .wire import ToolkitError

_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "lightgbm", "catboost")


@dataclass
class FittedModel:
    """A finished model: how to read each column, the class labels, and the weighted fold models.

    classes: labels in the order of the probability columns, None for regression. schema: how the feature columns are read.
    members: (weight, model) pairs whose weights sum to 1. temperature: see calibration. label_weights: see label_rule, None
    where the most probable class is the answer. created_with: versions of what it was made by.
    """

    trial_id: str
    family: str
    task: str
    metric: str
    target: str
    classes: list[str] | None
    positive_class: str | None
    schema: list[ColumnType]
    members: list[tuple[float, workspace.Scorer]]
    temperature: float = 1.0
    label_weights: list[float] | None = None
    created_with: dict[str, str] = field(default_factory=dict)

    @property
    def required_columns(self) -> list[str]:
        """Header names the model needs, in the order of the training table."""
        return [column.name for column in self.schema]

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """Raw typed feature rows (as in workspace.Table.X) to (n, n_classes) probabilities or (n,) values."""
        return sharpened(weighed_answers(self.members, X), self.temperature)

    def predict(self, raw: pd.DataFrame) -> np.ndarray:
        """(n,) labels (str) or values for raw rows: cells as strings or already typed, missing or unseen, any order."""
        return self.answers(self._scores_of_raw(raw))

    def predict_probabilities(self, raw: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) for raw rows, columns in the order of `classes`. Classification only."""
        if self.classes is None:
            raise ToolkitError("TASK_MISMATCH", "a regression model has no probabilities", "Call predict instead.")
        return self._scores_of_raw(raw)

    def answers(self, scores: np.ndarray) -> np.ndarray:
        """(n,) labels or values from scores: the class with the greatest score by the model's rule, or the value itself."""
        return scores if self.classes is None else np.array(self.classes, dtype=object)[labels(self.weighed(scores))]

    def weighed(self, scores: np.ndarray) -> np.ndarray:
        """The scores that say which label is answered: probabilities weighed by the model's rule; values as they are."""
        return weighed(scores, self.label_weights)

    def read_raw(self, raw: pd.DataFrame, delimiter: str = ",") -> pd.DataFrame:
        """Raw rows to the typed feature columns the members expect; COLUMNS_MISSING when some are not there.

        `delimiter` is that of the file they come from: it tells what a comma in a number is.
        """
        by_name = {str(name).strip(): name for name in reversed(list(raw.columns))}
        lacking = [name for name in self.required_columns if name not in by_name]
        if lacking:
            raise ToolkitError(
                "COLUMNS_MISSING",
                f"the table lacks {len(lacking)} columns the model needs: {', '.join(lacking[:20])}",
                "Give the columns of the training table under the same names; empty cells are fine.",
            )
        columns = {
            column.name: typed(cells, as_written(cells, column, delimiter)).reset_index(drop=True)
            for column in self.schema
            for cells in [raw[by_name[column.name]]]
        }
        return pd.DataFrame(columns)

    def _scores_of_raw(self, raw: pd.DataFrame) -> np.ndarray:
        X = self.read_raw(raw)
        if len(X) == 0:
            return np.empty((0, len(self.classes)) if self.classes else 0)
        return self.predict_scores(X)


def fitted_model(trial_id: str) -> FittedModel:
    """The model of a finished trial or ensemble of this job's folder, ready to be pickled as out/model.pkl."""
    trial = workspace.load_result(trial_id)
    rule = rule_of(trial)
    weights: dict[str, float] = trial.get("weights") or {trial_id: 1.0}
    known: dict[str, workspace.Scorer] = {}
    members = [(weight, workspace.load_scorer(member, known)) for member, weight in weights.items()]
    return frame_model(trial_id, trial["family"], members, trial.get("temperature", 1.0), rule.weights if rule else None)


def frame_model(
    trial_id: str,
    family: str,
    members: list[tuple[float, workspace.Scorer]],
    temperature: float,
    label_weights: list[float] | None,
) -> FittedModel:
    """These members, with all that this job's folder knows of how rows are read and answers named."""
    profile = workspace.load_profile()
    classes = profile["classes"]
    return FittedModel(
        trial_id=trial_id,
        family=family,
        task=profile["task"],
        metric=profile["metric"],
        target=profile["target"]["name"],
        classes=[entry["label"] for entry in classes] if classes else None,
        positive_class=profile["positiveClass"],
        schema=[ColumnType(**entry) for entry in profile["schema"]],
        members=members,
        temperature=temperature,
        label_weights=label_weights,
        created_with=_versions(),
    )


def save_model(model: FittedModel, path: str | Path) -> None:
    """Pickle the model, whole or not at all."""
    workspace.save_pickle(path, model)


def load_model(path: str | Path) -> FittedModel:
    """Read a model.pkl; MODEL_UNREADABLE when it is none. Unpickling runs code: load only models you trust."""
    try:
        with Path(path).open("rb") as file:
            model = pickle.load(file)
    except (OSError, pickle.UnpicklingError, EOFError, AttributeError, ImportError, ValueError) as error:
        raise ToolkitError(
            "MODEL_UNREADABLE",
            f"{path} could not be loaded as a model: {error}",
            "Give the model.pkl of a finished job, and use the toolkit it was made with.",
        ) from error
    if not isinstance(model, FittedModel):
        raise ToolkitError("MODEL_UNREADABLE", f"{path} holds no SproutML model", "Give the model.pkl of a finished job.")
    return model


def describe(model: FittedModel) -> dict[str, Any]:
    """Plain facts about the model for people: task, target, columns, members and weights, versions."""
    return {
        "trialId": model.trial_id,
        "family": model.family,
        "task": model.task,
        "metric": model.metric,
        "target": model.target,
        "classes": model.classes,
        "positiveClass": model.positive_class,
        "labelRule": rule_facts(model),
        "columns": model.required_columns,
        "weights": [weight for weight, _ in model.members],
        "createdWith": model.created_with,
        "agentCode": sorted(codes_of([member for _, member in model.members])),
    }


def rule_facts(model: FittedModel) -> dict[str, Any] | None:
    """{weights: {class: weight}, threshold}: how labels are answered, None for the most probable class. threshold: of two
    classes, the probability of the second from which on it is the answer; of more, None."""
    if model.classes is None or model.label_weights is None:
        return None
    weights = model.label_weights
    return {
        "weights": dict(zip(model.classes, weights, strict=True)),
        "threshold": threshold(weights) if len(weights) == 2 else None,
    }


def _versions() -> dict[str, str]:
    found = {"sproutml-toolkit": __version__, "python": platform.python_version()}
    return found | {library: importlib.metadata.version(library) for library in _LIBRARIES}
