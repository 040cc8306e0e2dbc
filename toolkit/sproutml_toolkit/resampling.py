"""What a bootstrap draws in place of single rows where rows resemble each other: whole groups, or stretches of time.

Rows of one patient, or of neighbouring hours, are wrong together. Drawn one by one they count as so many independent rows, and the
interval is narrower than it should be.

Sources: Field & Welsh, Bootstrapping clustered data (2007), and Cameron, Gelbach & Miller, Bootstrap-Based Improvements for
Inference with Clustered Errors (2008): groups are drawn whole, with all their rows. Künsch, The jackknife and the bootstrap for
general stationary observations (1989), Politis & Romano, A Circular Block-Resampling Procedure (1992): blocks of neighbouring
times are drawn, the last going on with the first. How long they must be, the errors themselves tell: Politis & White, Automatic
Block-Length Selection for the Dependent Bootstrap (2004), with Patton's correction (2009). Hesterberg, What Teachers Should Know
About the Bootstrap (2015), section 3.3: with few units the quantiles are moved outwards, as a t distribution is wider.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .workspace import Table

#: With fewer different times sealed, how they differ can't be told.
_FEWEST_TIMES = 5
#: Autocorrelations in a row that must be within chance for all further ones to be taken as none.
_QUIET, _CHANCE = 5, 2.0


@dataclass(frozen=True)
class Units:
    """kind: GROUPS or TIMES. numbers: (n,) the unit of each row, 0 to `count` - 1, times in their order. length: how many
    neighbouring units are drawn together."""

    kind: str
    numbers: np.ndarray
    count: int
    length: int = 1

    @property
    def independent(self) -> float:
        """How many of what is drawn there are."""
        return self.count / self.length

    def draw(self, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Row positions of each resample (its rows,): as many units as there are, of any number of rows."""
        order = np.argsort(self.numbers, kind="stable")
        sizes = np.bincount(self.numbers, minlength=self.count)
        starts = np.cumsum(sizes) - sizes
        blocks = -(-self.count // self.length)
        for _ in range(resamples):
            first = rng.integers(0, self.count, blocks)
            units = ((first[:, None] + np.arange(self.length)) % self.count).ravel()[: self.count]
            rows = sizes[units]
            ends = np.cumsum(rows)
            yield order[np.repeat(starts[units] - ends + rows, rows) + np.arange(ends[-1])]

    def draw_filled(self, resamples: int, rng: np.random.Generator) -> np.ndarray:
        """(resamples, n) row positions: whole units until the rows are as many as there are, the last of them cut."""
        rows = len(self.numbers)
        return np.stack([np.resize(np.concatenate(list(self.draw(2, rng))), rows) for _ in range(resamples)])

    def tail(self, level: float) -> float:
        """The share of resamples beyond either end of an interval of this level."""
        count = max(self.independent, 2.0)
        return float(stats.norm.cdf(stats.t.ppf((1 - level) / 2, count - 1) * np.sqrt(count / (count - 1))))

    def to_json(self) -> dict[str, int | str]:
        """What was drawn, without the rows."""
        return {"drawn": self.kind, "units": self.count, "length": self.length}


def groups_of(groups: np.ndarray) -> Units:
    """Whole groups, from the group of each row (n,)."""
    count, numbers = _numbered(groups)
    return Units("GROUPS", numbers, count)


def units_of(table: Table, scores: np.ndarray) -> Units | None:
    """What to draw of the table's rows: whole groups or blocks of time, where they were split so; None: single rows.

    scores: (n, k) or (n,) the model's, by whose errors the blocks' length is chosen. Of fewer than five times single rows are drawn.
    """
    if table.groups is not None:
        return groups_of(table.groups)
    if table.moments is not None:
        count, numbers = _numbered(table.moments)
        if count >= _FEWEST_TIMES:
            errors = np.bincount(numbers, weights=_errors(table.y, scores)) / np.bincount(numbers)
            return Units("TIMES", numbers, count, block_length(errors))
    return None


def _errors(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(n,) how wrong each row's answer is: by its distance, or by what its class's probability lacks."""
    return np.abs(y - scores) if scores.ndim == 1 else 1 - scores[np.arange(len(y)), y]


def _numbered(keys: np.ndarray) -> tuple[int, np.ndarray]:
    distinct, numbers = np.unique(keys, return_inverse=True)
    return len(distinct), numbers


def block_length(series: np.ndarray) -> int:
    """How many neighbours of a series (n,) to draw together: 1 where they are independent, a third of the series at most."""
    count = len(series)
    most = max(min(int(np.ceil(3 * np.sqrt(count))), count // 3), 1)
    centred = series - series.mean()
    variance = float(centred @ centred) / count
    if not variance > 0:
        return 1
    longest = min(int(np.ceil(np.sqrt(count))) + _QUIET, count - 1)
    covariances = np.array([centred[: count - lag] @ centred[lag:] / count for lag in range(longest + 1)])
    loud = np.abs(covariances[1:]) / variance > _CHANCE * np.sqrt(np.log10(count) / count)
    loud = np.append(loud, np.zeros(_QUIET, dtype=bool))
    last = next(lag for lag in range(len(loud)) if not loud[lag : lag + _QUIET].any())
    if last == 0:
        return 1
    lags = np.arange(1, min(2 * last, longest) + 1)
    weights = np.clip(2 * (1 - lags / (2 * last)), 0.0, 1.0)
    spectrum = variance + 2 * float(weights @ covariances[lags])
    slope = 2 * float((weights * lags) @ covariances[lags])
    if not spectrum > 0:
        return most
    length = (1.5 * slope**2 / spectrum**2 * count) ** (1 / 3)
    return int(np.clip(np.ceil(length), 1, most))
