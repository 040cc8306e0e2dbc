"""How the model's answer changes with its main columns: one small picture each, all on one scale."""

from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .regression import short_number
from .svg import ACCENT, CLASS_COLOURS, Plot, label, panels, to_svg

_ACROSS = 2


def partial_dependence(found: dict[str, Any], target: str, answer: str) -> Plot | None:
    """`found` as `evaluate` keeps it (see dependence.Dependence). None with no curve.

    target: its name, for a regression, which has no classes. answer: what the y axis shows, in words.
    """
    features = found["features"]
    if not features:
        return None
    outputs = [curve["output"] for curve in features[0]["curves"]]
    alone = len(outputs) == 1
    is_probability = outputs[0] is not None
    crowded = any(_is_crowded(_names(feature)) for feature in features)
    names = [label(output, 22) for output in outputs]
    abreast = len(names) if sum(map(len, names)) + 6 * len(names) <= 80 else 3
    above = 0.05 if alone else 0.15 + 0.22 * -(-len(names) // abreast)
    below = 0.85 if crowded else 0.4
    highest = max(0.01, *(max(curve["high" if alone else "mean"]) for feature in features for curve in feature["curves"]))
    with panels(len(features), min(_ACROSS, len(features)), above, below) as (figure, subplots):
        for place, (feature, subplot) in enumerate(zip(features, subplots, strict=True)):
            lines = _draw(subplot, feature, alone)
            subplot.set_title(label(feature["feature"], 34), fontsize=10, loc="left")
            if is_probability:
                # Small probabilities of many classes would all lie on the floor of the whole scale.
                subplot.set_ylim(*((-0.02, 1.02) if highest > 0.6 else (-0.02 * highest, 1.1 * highest)))
                subplot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
            else:
                subplot.yaxis.set_major_locator(MaxNLocator(5))
                subplot.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
            if place % _ACROSS == 0:
                subplot.set_ylabel(label(answer, 34))
        if not alone:
            figure.legend(lines, names, loc="upper center", ncols=abreast, columnspacing=1.4, borderaxespad=0.1)
        said = "; ".join(_in_words(feature, is_probability) for feature in features)
        of = label(outputs[0] if is_probability else target) if alone else "each class"
        alt = f"Partial dependence of {of} over {found['rows']} rows. {said}."
        svg = to_svg(figure, "partial-dependence", "How its answers change", alt)
    reading = (
        f"The model's average answer for {found['rows']:,} training rows as this column alone takes one value after another. "
        + ("The band holds the middle 80% of the rows' own answers. " if alone else "")
        + "It shows what the model does, not what would happen if you changed the column in the world."
    )
    return Plot("partial-dependence", "How its answers change", reading, alt, svg)


def _draw(subplot: Axes, feature: dict[str, Any], alone: bool) -> list[Line2D]:
    """The curves of one column; the lines, one per output."""
    kind, values = feature["kind"], feature["values"]
    in_order = kind in ("number", "date")
    places: Any = np.arange(len(values))
    if kind == "number":
        places = np.array(values, dtype=float)
    elif kind == "date":
        places = [datetime.fromisoformat(value) for value in values]
    lines = []
    for colour, curve in zip(CLASS_COLOURS, feature["curves"], strict=False):
        if in_order:
            if alone:
                subplot.fill_between(places, curve["low"], curve["high"], color=ACCENT[0], alpha=0.16, linewidth=0)
            lines += subplot.plot(places, curve["mean"], color=colour, marker="o", markersize=3.5)
        else:
            if alone:
                subplot.vlines(places, curve["low"], curve["high"], color=ACCENT[0], alpha=0.25, linewidth=7)
            lines += subplot.plot(places, curve["mean"], "o", color=colour, markersize=7)
    if kind == "number":
        subplot.xaxis.set_major_locator(MaxNLocator(6, integer=all(value.is_integer() for value in values)))
        subplot.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    elif kind == "date":
        locator = AutoDateLocator(minticks=3, maxticks=6)
        subplot.xaxis.set_major_locator(locator)
        subplot.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        names = _names(feature)
        crowded = _is_crowded(names)
        subplot.set_xticks(places, names, rotation=30 if crowded else 0, ha="right" if crowded else "center")
        subplot.set_xlim(-0.6, len(names) - 0.4)
    return lines


def _names(feature: dict[str, Any]) -> list[str]:
    """What stands under a column's values that have no order; none for one whose values have."""
    if feature["kind"] == "flag":
        return ["no", "yes"]
    return [label(value, 12) for value in feature["values"]] if feature["kind"] == "category" else []


def _is_crowded(names: list[str]) -> bool:
    return len(names) > 4 or max(map(len, names), default=0) > 9


def _in_words(feature: dict[str, Any], is_probability: bool) -> str:
    curve = max(feature["curves"], key=lambda curve: max(curve["mean"]) - min(curve["mean"]))
    ends = [f"{value:.0%}" if is_probability else f"{value:.4g}" for value in (min(curve["mean"]), max(curve["mean"]))]
    of = f"{label(curve['output'])} " if curve["output"] is not None else ""
    return f"with {label(feature['feature'])} {of}goes from {ends[0]} to {ends[1]}"
