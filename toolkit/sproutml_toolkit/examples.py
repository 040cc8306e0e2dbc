"""A handful of sealed rows that show what the model's answers look like: its best, its usual and its worst."""

from dataclasses import dataclass

import numpy as np

from .metrics import labels

_EACH = 2


@dataclass(frozen=True)
class Example:
    """`position` among the rows looked at; `kind` is SURE_RIGHT, SURE_WRONG, UNSURE, BEST, TYPICAL or WORST."""

    position: int
    kind: str


def choose_examples(y: np.ndarray, scores: np.ndarray) -> list[Example]:
    """At most two rows of each kind, none twice; `y` and `scores` as in metrics, weighed by the rule for labels. Ties go to the
    earlier row.

    Classification: surest and right (of two classes, if there are such), surest and wrong, least sure. Regression: smallest,
    median and largest error.
    """
    if scores.ndim == 1:
        return _of_values(np.abs(y - scores))
    said = labels(scores)
    ranked = np.sort(scores, axis=1)
    surest = np.argsort(-ranked[:, -1], kind="stable")
    closest = np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")
    right = [row for row in surest if said[row] == y[row]]
    another = [row for row in right if said[row] != said[right[0]]]
    wrong = [row for row in surest if said[row] != y[row]]
    kinds = (
        ("SURE_RIGHT", [*right[:1], *another[:1], *right[1:]]),
        ("SURE_WRONG", wrong),
        ("UNSURE", closest),
    )
    return _first_of_each(kinds)


def _of_values(error: np.ndarray) -> list[Example]:
    smallest = np.argsort(error, kind="stable")
    typical = np.argsort(np.abs(error - np.median(error)), kind="stable")
    return _first_of_each((("BEST", smallest), ("TYPICAL", typical), ("WORST", smallest[::-1])))


def _first_of_each(kinds: tuple[tuple[str, list[int] | np.ndarray], ...]) -> list[Example]:
    chosen: dict[int, str] = {}
    for kind, rows in kinds:
        fresh = [int(row) for row in rows if int(row) not in chosen][:_EACH]
        chosen |= dict.fromkeys(fresh, kind)
    return [Example(position, kind) for position, kind in chosen.items()]
