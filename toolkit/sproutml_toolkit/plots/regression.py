"""Where a regressor is right and wrong: predicted against actual values, and what is left over.

Everywhere `y` and `predicted` are (n,) in the target's units; `rows` says in words which rows these are; `quantile` is the share
of values that predictions are to lie above, None where they are to be exact.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..metrics import share_below
from .svg import ACCENT, BLUE, MUTED, Plot, axes, label, to_svg

_MOST_POINTS = 1500


def predicted_against_actual(y: np.ndarray, predicted: np.ndarray, target: str, rows: str, quantile: float | None) -> Plot:
    """A point per row (a fair sample of many) around the line of perfect prediction."""
    drawn = _sample(len(y))
    low, high = _range_of(np.concatenate([y, predicted]))
    with axes(5.2, 4.2) as (figure, subplot):
        _points(subplot, y[drawn], predicted[drawn])
        subplot.plot([low, high], [low, high], color=MUTED[0], linewidth=1, linestyle=(0, (4, 4)))
        subplot.set(xlim=(low, high), ylim=(low, high), xlabel=f"actual {label(target)}", ylabel=f"predicted {label(target)}")
        correlation = np.corrcoef(y, predicted)[0, 1] if np.std(y) > 0 and np.std(predicted) > 0 else 0.0
        alt = f"Predicted against actual {label(target)} for {len(y):,} {rows}; correlation {correlation:.3f}."
        svg = to_svg(figure, "predicted-vs-actual", "Predicted and actual", alt)
    goal = "" if quantile is None else f"{quantile:.3g} of all dots are to lie on or above them; {share_below(y, predicted):.3f} do. "
    reading = f"Each dot is a row; on the dashes the prediction is exact. {goal}{_drawn_words(len(y), len(drawn))}"
    return Plot("predicted-vs-actual", "Predicted and actual", reading.strip(), alt, svg)


def residuals(y: np.ndarray, predicted: np.ndarray, target: str, rows: str, quantile: float | None) -> Plot:
    """Actual minus predicted over the predicted value, with the median and the middle 80% per tenth of the rows."""
    left_over = y - predicted
    drawn = _sample(len(y))
    with axes(5.2, 4.2) as (figure, subplot):
        _points(subplot, predicted[drawn], left_over[drawn])
        subplot.axhline(0, color=MUTED[0], linewidth=1, linestyle=(0, (4, 4)))
        if len(y) >= 50:
            centre, low, middle, high = _bands(predicted, left_over, int(np.clip(len(y) // 20, 3, 10)))
            subplot.fill_between(centre, low, high, color=BLUE[0], alpha=0.16, linewidth=0)
            subplot.plot(centre, middle, color=BLUE[0])
        subplot.set(xlim=_range_of(predicted), ylim=_range_of(left_over))
        subplot.set(xlabel=f"predicted {label(target)}", ylabel="actual minus predicted")
        inside = np.quantile(np.abs(left_over), 0.8)
        alt = (
            f"Residuals for {len(y):,} {rows}: median {np.median(left_over):.4g}, "
            f"four in five within {inside:.4g} of the actual value."
        )
        svg = to_svg(figure, "residuals", "Residuals", alt)
    steadily = (
        "A blue line away from the dashes means the model is steadily too high or too low there"
        if quantile is None
        else "The blue line, the median, is to lie off the dashes, and further where values scatter more"
    )
    reading = (
        f"How far off each prediction is. {steadily}; "
        f"the band holds the middle 80%. {_drawn_words(len(y), len(drawn))}"
    )
    return Plot("residuals", "Residuals", reading.strip(), alt, svg)


def _points(subplot: Axes, x: np.ndarray, y: np.ndarray) -> None:
    alpha = float(np.clip(30 / np.sqrt(max(len(x), 1)) / 2, 0.3, 0.75))
    subplot.plot(x, y, "o", color=ACCENT[0], alpha=alpha, markersize=3.6, markeredgewidth=0)
    for axis in (subplot.xaxis, subplot.yaxis):
        axis.set_major_locator(MaxNLocator(6))
        axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))


def _sample(rows: int) -> np.ndarray:
    if rows <= _MOST_POINTS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, _MOST_POINTS, replace=False))


def _drawn_words(rows: int, drawn: int) -> str:
    return f"{drawn:,} of {rows:,} rows drawn." if drawn < rows else ""


def _bands(x: np.ndarray, values: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    parts = [part for part in np.array_split(np.argsort(x, kind="stable"), bins) if len(part)]
    centre = np.array([np.median(x[part]) for part in parts])
    low, middle, high = np.array([np.quantile(values[part], [0.1, 0.5, 0.9]) for part in parts]).T
    return centre, low, middle, high


def _range_of(values: np.ndarray) -> tuple[float, float]:
    """From just below the least to just above the greatest, leaving out the wildest thousandth when there are many rows."""
    cut = 0.0005 if len(values) > 2000 else 0.0
    low, high = np.quantile(values, [cut, 1 - cut])
    margin = (high - low) * 0.04 or max(abs(float(high)) * 0.04, 1e-9)
    return float(low - margin), float(high + margin)


def short_number(value: float) -> str:
    """A tick that leaves room for its neighbours: 150k, 2.5M."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):g}{unit}".replace("-", "−")
    return f"{value:g}".replace("-", "−")
