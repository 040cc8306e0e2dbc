"""Which columns the model relies on: how much worse its score gets when one column's values are shuffled among the rows.

Source: Breiman, Random Forests (2001), section 10. The interval covers both the shuffling and which rows happened to be looked
at. A column whose information another column repeats looks unimportant: the model can lean on its twin.
"""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import bootstrap
from .label_rule import weighed
from .metrics import is_lower_better, score
from .resampling import groups_of
from .speed import Speed
from .workspace import Scorer

_MOST_ROWS = 1000
_FEWEST_ROWS = 100
_SHUFFLES = 5
_RESAMPLES = 200
_ROWS_PER_CALL = 20_000
_CELLS_PER_CALL = 2_000_000
_MOST_REPORTED = 100


@dataclass(frozen=True)
class Importance:
    """`mean` is how much worse the metric gets, in its own units; `low` to `high` its 95% interval."""

    feature: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Importances:
    """`entries` greatest first; `rows` looked at; `unmeasured` columns the time did not reach."""

    entries: list[Importance]
    rows: int
    unmeasured: list[str]


def permutation_importance(
    model: Scorer,
    X: pd.DataFrame,
    y: np.ndarray,
    scores: np.ndarray,
    metric: str,
    label_weights: list[float] | None,
    features: list[str],
    speed: Speed,
    seed: int,
    time_limit_seconds: float,
    groups: np.ndarray | None = None,
) -> Importances:
    """Importance of each of `features`, columns of `X`, for `model` on these rows; `scores` are the model's, already known;
    `label_weights` its rule for labels (see label_rule). groups: (n,) the group of each row, where the intervals are to be for new
    groups.

    Works in rounds, one shuffle of every column a round, up to five, until the time is out; of many rows it takes 1,000, fewer
    where the model is slow. The first round may take thrice the time: one look at every column is worth more than five at some.
    Deterministic for a seed as long as the time suffices.
    """
    deadline = time.monotonic() + time_limit_seconds
    last_call = deadline + 2 * time_limit_seconds
    rng = np.random.default_rng(seed)
    affordable = speed.rows_within(time_limit_seconds) // (len(features) + 1)
    rows = _sample(np.arange(len(y)), min(_MOST_ROWS, max(_FEWEST_ROWS, affordable)), rng)
    X, y, base = X.iloc[rows].reset_index(drop=True), y[rows], weighed(scores[rows], label_weights)

    shuffled: dict[str, list[np.ndarray]] = {name: [] for name in features}
    turns = [name for _ in range(_SHUFFLES) for name in features]
    while turns:
        now = time.monotonic()
        waiting = sum(not parts for parts in shuffled.values())
        if now >= (last_call if waiting else deadline):
            break
        # What is beyond the limit goes into columns that nothing is known of yet.
        affordable = max(speed.rows_within(deadline - now), min(waiting * len(y), speed.rows_within(last_call - now)))
        most_rows = min(_ROWS_PER_CALL, _CELLS_PER_CALL // X.shape[1], affordable)
        batch = turns[: max(1, int(most_rows // len(y)))]
        turns = turns[len(batch) :]
        answers = model.predict_scores(pd.concat([_with_shuffled(X, name, rng) for name in batch], ignore_index=True))
        for name, part in zip(batch, np.split(answers, len(batch)), strict=True):
            shuffled[name].append(weighed(part, label_weights))

    measured = [name for name in features if shuffled[name]]
    loss = 1 if is_lower_better(metric) else -1
    whole = score(metric, y, base)
    means = {name: loss * float(np.mean([score(metric, y, part) for part in shuffled[name]]) - whole) for name in measured}
    order = sorted(measured, key=lambda name: -means[name])[:_MOST_REPORTED]
    if groups is None:
        picks = np.concatenate(list(bootstrap.draw(y, base.ndim == 2, _RESAMPLES, seed)))
    else:
        picks = groups_of(groups[rows]).draw_filled(_RESAMPLES, np.random.default_rng(seed))
    base_scores = bootstrap.resampler(metric, y, base)(picks)
    entries = []
    for name in order:
        low, high = _interval(metric, y, shuffled[name], picks, base_scores, loss)
        entries.append(Importance(name, means[name], min(low, means[name]), max(high, means[name])))
    return Importances(entries, len(y), [name for name in features if not shuffled[name]])


def _interval(
    metric: str, y: np.ndarray, shuffles: list[np.ndarray], picks: np.ndarray, base_scores: np.ndarray, loss: int
) -> tuple[float, float]:
    """Each resample of rows is paired with one of the shuffles in turn, so both kinds of chance are in the spread."""
    drops = np.concatenate(
        [
            loss * (bootstrap.resampler(metric, y, part)(picks[turn :: len(shuffles)]) - base_scores[turn :: len(shuffles)])
            for turn, part in enumerate(shuffles)
        ]
    )
    drops = drops[np.isfinite(drops)]
    if len(drops) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(drops, [0.025, 0.975])
    return float(low), float(high)


def _with_shuffled(X: pd.DataFrame, name: str, rng: np.random.Generator) -> pd.DataFrame:
    shuffled = X.copy(deep=False)
    shuffled[name] = X[name].array.take(rng.permutation(len(X)))
    return shuffled


def _sample(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))
