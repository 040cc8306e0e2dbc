"""A second layer of models: they see, beside the columns, what models of the first layer answered for rows they had not learnt from.

Source: Wolpert, Stacked generalization (1992); the columns stay in, as in Erickson et al., AutoGluon-Tabular (2020). A fold's model
learns from answers of models that knew the rows it is scored on, so that its score is a little too good. Linear models make the most
of that (credit_g: an AUC of .909 that is .784 on sealed rows), trees next to nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .workspace import Scorer


@dataclass(frozen=True)
class AnswerColumns:
    """How answers become columns: values less `offset` and over `scale`, which single precision can hold; probabilities as they are."""

    offset: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: np.ndarray, classification: bool) -> "AnswerColumns":
        """For a target (n,)."""
        return cls() if classification else cls(float(np.median(y)), float(y.std()) or 1.0)

    def of_answers(self, answers: list[np.ndarray], index: pd.Index) -> pd.DataFrame:
        """One column of each model's values (n,), or one of each of its classes but, of two, the first."""
        columns = {}
        for place, scores in enumerate(answers):
            parts = scores[:, None] if scores.ndim == 1 else scores[:, 1:] if scores.shape[1] == 2 else scores
            for number, part in enumerate(parts.T):
                columns[_name(place, number)] = ((part - self.offset) / self.scale).astype(np.float32)
        return pd.DataFrame(columns, index=index)

    def beside(self, X: pd.DataFrame, answers: list[np.ndarray]) -> pd.DataFrame:
        """The rows with what the models of the first layer answer for them."""
        return pd.concat([X, self.of_answers(answers, X.index)], axis=1)


def _name(place: int, number: int) -> str:
    # No header of an upload starts with a space: they are stripped. Nor does that of a column made by code have a second one.
    return f"  answer {place + 1}.{number + 1}"


def features_of(columns: Iterable[str]) -> list[dict[str, object]]:
    """The plan's entries for such columns."""
    treatment = "number: what a model of the first layer answers"
    return [{"name": name, "type": "NUMERIC", "treatment": treatment, "kind": "number"} for name in columns]


@dataclass
class StackedModel:
    """base_ids: the trials of the first layer. bases: their models, put in when it is loaded (see `workspace.load_scorer`)."""

    base_ids: list[str]
    columns: AnswerColumns
    inner: Scorer
    bases: list[Scorer] = field(default_factory=list)

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values."""
        return weighed_answers([(1.0, self)], X)


def weighed_answers(members: list[tuple[float, Scorer]], X: pd.DataFrame) -> np.ndarray:
    """The members' answers to X by weight, summed: (n, n_classes) or (n,). What several learn from is asked once for all."""
    shared = {id(base) for _, member in members if isinstance(member, StackedModel) for base in member.bases}
    known: dict[int, np.ndarray] = {}

    def answers_of(scorer: Scorer) -> np.ndarray:
        if id(scorer) in known:
            return known[id(scorer)]
        if isinstance(scorer, StackedModel):
            return scorer.inner.predict_scores(scorer.columns.beside(X, [answers_of(base) for base in scorer.bases]))
        scores = scorer.predict_scores(X)
        if id(scorer) in shared:
            known[id(scorer)] = scores
        return scores

    (weight, first), *others = members
    total = weight * answers_of(first)
    for weight, member in others:
        total = total + weight * answers_of(member)
    return total
