"""Sealed rows that a training row equals in every feature: a model may have learnt their answer by heart.

They stay where chance put them. To keep equal rows on one side, as groups, was tried on a table of which a fifth are copies (white
wines): models chosen so were no better on wines without a copy and worse on the rest. So the score is also taken without them.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from .metrics import is_lower_better, score
from .workspace import Table

_FEWEST_ALONE, _FEWEST_TWINS = 30, 5
#: Of the sealed rows; with fewer twins the score can't be much too good.
_NOTABLE = 0.01


@dataclass(frozen=True)
class Twins:
    """rows: sealed rows, `twins` of them equal a training row in all features. agreeing: and in the target, too.

    withoutTwins, ofTwins: the metric on the other rows and on the twins; None where they are too few or it is undefined on them.
    """

    rows: int
    twins: int
    agreeing: int
    withoutTwins: float | None
    ofTwins: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def find_twins(train: Table, holdout: Table, names: list[str], metric: str, scores: np.ndarray) -> Twins:
    """`scores` are the model's for the holdout; `names` the columns it uses."""
    known, sealed = (pd.util.hash_pandas_object(table.X[names], index=False).to_numpy() for table in (train, holdout))
    is_twin = np.isin(sealed, known)
    answers = np.unique(np.concatenate([train.y, holdout.y]), return_inverse=True)[1].astype(np.uint64)
    known_answers, sealed_answers = answers[: len(train)], answers[len(train) :]
    odd = np.uint64(0x9E3779B97F4A7C15)
    agreeing = np.isin(sealed + sealed_answers * odd, known + known_answers * odd)
    return Twins(
        rows=len(holdout),
        twins=int(is_twin.sum()),
        agreeing=int(agreeing.sum()),
        withoutTwins=_score(metric, holdout.y, scores, ~is_twin, _FEWEST_ALONE) if is_twin.any() else None,
        ofTwins=_score(metric, holdout.y, scores, is_twin, _FEWEST_TWINS),
    )


def flatters(found: dict[str, Any], metric: str, interval: dict[str, float] | None) -> bool:
    """Whether rows without twins score worse than chance would have it: beyond the interval of all sealed rows."""
    if interval is None or found["withoutTwins"] is None or found["twins"] < _NOTABLE * found["rows"]:
        return False
    alone = found["withoutTwins"]
    return alone > interval["high"] if is_lower_better(metric) else alone < interval["low"]


def _score(metric: str, y: np.ndarray, scores: np.ndarray, part: np.ndarray, fewest: int) -> float | None:
    if part.sum() < fewest:
        return None
    value = score(metric, y[part], scores[part])
    return float(value) if np.isfinite(value) else None
