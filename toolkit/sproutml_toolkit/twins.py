"""Rows that equal one learnt from in every column used: a model may know their answer by heart.

They stay where chance put them. To keep equal rows on one side, as groups, was tried on a table of which a fifth are copies (white
wines): models chosen so were no better on wines without a copy, and worse on all. So the score is also taken without them.
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
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Twins:
    """rows: sealed rows, `twins` of them equal a training row in every column used. agreeing: and in the target, too.

    withoutTwins, ofTwins: the metric on the other rows and on the twins; None where they are too few or it is undefined on them.
    inFolds: training rows that equal one of another fold; validationWithout: the validation metric without them, or None.
    """

    rows: int
    twins: int
    agreeing: int
    withoutTwins: float | None
    ofTwins: float | None
    inFolds: int
    validationWithout: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def find_twins(
    train: Table, holdout: Table, names: list[str], metric: str, scores: np.ndarray, oof: np.ndarray, folds: np.ndarray
) -> Twins:
    """`scores` are the model's for the holdout, `oof` those for the training rows, dealt into `folds`, both weighed by the rule for
    labels; `names` the columns it uses."""
    known, sealed = _digests(train.X, names), _digests(holdout.X, names)
    is_twin = np.isin(sealed, known)
    answers = np.unique(np.concatenate([train.y, holdout.y]), return_inverse=True)[1].astype(np.uint64) * _ODD
    agreeing = np.isin(sealed + answers[len(train) :], known + answers[: len(train)])
    in_folds = _elsewhere(known, folds)
    return Twins(
        rows=len(holdout),
        twins=int(is_twin.sum()),
        agreeing=int(agreeing.sum()),
        withoutTwins=_score(metric, holdout.y, scores, ~is_twin, _FEWEST_ALONE) if is_twin.any() else None,
        ofTwins=_score(metric, holdout.y, scores, is_twin, _FEWEST_TWINS),
        inFolds=int(in_folds.sum()),
        validationWithout=_score(metric, train.y, oof, ~in_folds, _FEWEST_ALONE) if in_folds.any() else None,
    )


def flatters(found: dict[str, Any], metric: str, interval: dict[str, float] | None) -> bool:
    """Whether rows without twins score worse than chance would have it: beyond the interval of all sealed rows."""
    if interval is None or found["withoutTwins"] is None or found["twins"] < _NOTABLE * found["rows"]:
        return False
    alone = found["withoutTwins"]
    return alone > interval["high"] if is_lower_better(metric) else alone < interval["low"]


def _digests(X: pd.DataFrame, names: list[str]) -> np.ndarray:
    """(n,) a number for each row, the same for rows equal in all columns, a missing cell being equal to another."""
    total = np.zeros(len(X), dtype=np.uint64)
    for name in names:
        total = total * _ODD + pd.util.hash_pandas_object(X[name], index=False).to_numpy()
    return total


def _elsewhere(digests: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """(n,) which rows equal one of another fold."""
    number = np.unique(digests, return_inverse=True)[1]
    first, last = np.full(len(folds), folds.max() + 1), np.full(len(folds), -1)
    np.minimum.at(first, number, folds)
    np.maximum.at(last, number, folds)
    return first[number] < last[number]


def _score(metric: str, y: np.ndarray, scores: np.ndarray, part: np.ndarray, fewest: int) -> float | None:
    if part.sum() < fewest:
        return None
    value = score(metric, y[part], scores[part])
    return float(value) if np.isfinite(value) else None
