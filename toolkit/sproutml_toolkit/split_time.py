"""Split by time: the latest rows are sealed, and folds are blocks of time. Rows of the same time are never parted.

The holdout is strictly the future: no model has seen a row as late. The folds are blocked cross-validation (Bergmeir & Benítez,
"On the use of cross-validation for time series predictor evaluation", 2012): contiguous blocks, each predicted by a model of
all others, later ones too. Folds that only ever look back would leave the first block without a prediction, and the ensemble
needs one for every row. So validation may flatter where the world drifts; the gap to the holdout score shows by how much.
The column stays a feature as it would be without the split (a date as its parts), unless it is left out by `ignoreColumns`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .split_keys import Times
from .target import number_label
from .wire import ToolkitError


@dataclass
class ByTime:
    """Splits (n,) rows by their time; rows without one count as of the earliest."""

    times: Times
    stratified = False

    def __post_init__(self) -> None:
        self._place = self.times.places

    def seal(self, size: int) -> np.ndarray:
        """Sorted positions of the latest rows, as near to `size` as whole times allow. Error: TOO_FEW_TIMES."""
        rows = np.bincount(self._place)
        needed = 3 if size else 2
        if len(rows) < needed:
            raise ToolkitError(
                "TOO_FEW_TIMES",
                f'"{self.times.column}" has {len(rows)} different times, and a split by time takes {needed} at least',
                "Name a column that tells the times of rows apart, or leave timeColumn out.",
            )
        if size == 0:
            return np.empty(0, dtype=np.int64)
        from_there_on = rows[::-1].cumsum()[::-1]
        # Two times at least stay, for two folds.
        cut = 2 + int(np.argmin(np.abs(from_there_on[2:] - size)))
        return np.flatnonzero(self._place >= cut)

    def most_folds(self, kept: np.ndarray) -> int:
        """As many as there are different times."""
        return len(np.unique(self._place[kept]))

    def deal(self, kept: np.ndarray, folds: int) -> np.ndarray:
        """(kept,) fold numbers growing with time: blocks of about the same number of rows, fewer where many share a time."""
        _, place = np.unique(self._place[kept], return_inverse=True)
        rows = np.bincount(place)
        middle = rows.cumsum() - rows / 2
        _, block = np.unique((middle * folds / len(kept)).astype(np.int64), return_inverse=True)
        return block[place]

    def say(self, held: np.ndarray, kept: np.ndarray, folds: int) -> list[str]:
        """How rows were split, in sentences."""
        blocks = (
            f'The folds are {folds} blocks of "{self.times.column}", each predicted from all others, later ones too: '
            "validation may flatter."
        )
        if len(held) == 0:
            return [blocks]
        first = _written(self.times.values[held].min())
        share = len(held) / (len(held) + len(kept))
        latest = f'The latest {share:.0%} of rows are sealed, from {first} of "{self.times.column}" on'
        return [f"{latest}; training sees only earlier ones.", blocks]

    def warnings(self, held: np.ndarray, kept: np.ndarray) -> list[dict[str, str]]:
        """None of its own."""
        return []


def _written(time: np.datetime64 | float) -> str:
    if not isinstance(time, np.datetime64):
        return number_label(float(time))
    moment = pd.Timestamp(time)
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else f"{moment:%Y-%m-%d %H:%M:%S}"
