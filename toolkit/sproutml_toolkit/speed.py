"""How fast a model answers: it decides how many rows an explanation can afford."""

import time
from dataclasses import dataclass

import pandas as pd

from .workspace import Scorer

_SEVERAL_ROWS = 50


@dataclass(frozen=True)
class Speed:
    """About how many seconds a call takes whatever it is given, and how many more each row takes."""

    call_seconds: float
    row_seconds: float

    def rows_within(self, seconds: float) -> int:
        """How many rows one call can answer in `seconds`; 0 when the call alone takes longer."""
        return int(max(seconds - self.call_seconds, 0.0) / self.row_seconds)


def measure_speed(model: Scorer, X: pd.DataFrame) -> Speed:
    """Time two calls on a few of these rows. The model should have answered before: a first call loads what it needs."""
    several = min(len(X), _SEVERAL_ROWS)
    times = []
    for count in (1, several):
        started = time.monotonic()
        model.predict_scores(X.iloc[:count])
        times.append(time.monotonic() - started)
    return Speed(times[0], max((times[1] - times[0]) / several, times[1] / several / 20, 1e-7))
