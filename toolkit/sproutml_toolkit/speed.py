"""How fast a model answers: it decides how many rows an explanation can afford."""

import time
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .workspace import Scorer

_SEVERAL_ROWS = 100


@dataclass(frozen=True)
class Speed:
    """About how many seconds a call takes whatever it is given, and how many more each row takes."""

    call_seconds: float
    row_seconds: float

    def rows_within(self, seconds: float) -> int:
        """How many rows one call can answer in `seconds`; 0 when the call alone takes longer."""
        return int(max(seconds - self.call_seconds, 0.0) / self.row_seconds)


@dataclass
class TimedModel:
    """A model that notes how long it takes to answer."""

    model: Scorer
    _calls: list[tuple[int, float]] = field(default_factory=list)

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """What the model says."""
        started = time.monotonic()
        scores = self.model.predict_scores(X)
        self._calls.append((len(X), time.monotonic() - started))
        return scores

    def warm_up(self, X: pd.DataFrame) -> None:
        """Answer a few of these rows, then one: the first call, which may have to load things, is not the one taken for empty."""
        self.predict_scores(X.iloc[:_SEVERAL_ROWS])
        self.predict_scores(X.iloc[:1])

    def speed(self) -> Speed:
        """From the calls so far: the quickest tells what a call takes by itself, the largest what its rows do."""
        call_seconds = min(seconds for _, seconds in self._calls)
        rows, seconds = max(self._calls)
        return Speed(call_seconds, max((seconds - call_seconds) / rows, seconds / rows / 5, 1e-7))
