"""The explanations in plain language: how answers change with a column, single rows, groups, and whether more rows would help.

A sentence is only said where the numbers bear it out: a curve that goes up and down is not called rising.
"""

from typing import Any

import numpy as np

from ..metrics import is_lower_better
from . import words
from .findings import Findings

#: Of a curve's whole range: going the other way by less is none.
_WOBBLE = 0.1
#: A curve that moves less is flat: probabilities as they are, values by the target's standard deviation.
_FLAT = 0.02
#: A stretch this short of all values, in which four fifths of the change lie, is worth naming.
_STEEP = 0.6
_NO_SHAPE = "in no simple way"
_KINDS = {
    "SURE_RIGHT": "Sure and right", "SURE_WRONG": "Sure and wrong", "UNSURE": "Least sure",
    "BEST": "Closest", "TYPICAL": "Typical", "WORST": "Furthest off",
}  # fmt: skip
_LONGEST_CELL = 32


def render(findings: Findings) -> dict[str, Any]:
    """What the page's template shows of the explanations."""
    evaluation = findings.evaluation
    dependence, examples = evaluation["partialDependence"], evaluation["examples"]
    return {
        "dependence": [_changes(feature, findings) for feature in dependence["features"]] if dependence else [],
        "examples": _examples(examples, findings.classes is None) if examples else None,
        "slices": _slices(findings),
        "more_rows": more_rows(evaluation["learningCurve"]),
        "cut": [_sentence(text) for text in evaluation["cut"]],
    }


def answer_words(findings: Findings) -> str:
    """What the model answers, as an axis says it."""
    if findings.classes is None:
        return f"predicted {findings.target}"
    return f"probability of {findings.classes[1]}" if len(findings.classes) == 2 else "probability"


def _changes(feature: dict[str, Any], findings: Findings) -> dict[str, str]:
    spread = 1.0 if findings.classes is not None else float(findings.profile["target"].get("std") or 0.0)
    return {"feature": feature["feature"], "text": how_it_changes(feature, findings.target, spread)}


def how_it_changes(feature: dict[str, Any], target: str, spread: float) -> str:
    """One sentence on a column's curves (see dependence.Dependence). spread: what changes are measured by, 1 for probabilities."""
    curve = max(feature["curves"], key=lambda curve: (curve["sure"], np.ptp(curve["mean"])))
    mean, name = np.array(curve["mean"]), feature["feature"]
    if np.ptp(mean) < _FLAT * spread:
        return f"On average the answer hardly changes with {name} alone."
    if not curve["sure"]:
        return f"How the answer changes with {name} differs too much from row to row to be put in a sentence."
    is_class = curve["output"] is not None
    subject = _class_words(curve["output"], target) if is_class else f"The predicted {target}"
    said = [words.percent(value) if is_class else _figures(value) for value in mean]
    values = [_value(value, feature["kind"]) for value in feature["values"]]
    top, bottom = int(mean.argmax()), int(mean.argmin())
    if feature["kind"] in ("category", "flag"):
        most, least = ("likeliest", "least likely") if is_class else ("highest", "lowest")
        text = f"{subject} is {most} with {name} = {values[top]} ({said[top]}), {least} with {values[bottom]} ({said[bottom]})"
    else:
        text = _along(mean, [_place(value) for value in feature["values"]], values, said, subject, name, is_class)
    if curve["agreement"] < 0.8 and _NO_SHAPE not in text:
        text += f"; for {1 - curve['agreement']:.0%} of the rows it is the other way round"
    return text + "."


def _along(
    mean: np.ndarray, places: list[float], values: list[str], said: list[str], subject: str, name: str, is_class: bool
) -> str:
    """The sentence for values that have an order."""
    steps, last, whole = np.diff(mean), len(mean) - 1, np.ptp(mean)
    top, bottom = int(mean.argmax()), int(mean.argmin())

    def goes(way: int, start: int, end: int) -> bool:
        against = -way * steps[start:end]
        return bool(against[against > 0].sum() <= _WOBBLE * whole)

    for way, up in ((1, True), (-1, False)):
        if goes(way, 0, last):
            verb = ("gets likelier" if up else "gets less likely") if is_class else ("rises" if up else "falls")
            text = f"{subject} {verb} as {name} grows: {said[0]} at {values[0]}, {said[-1]} at {values[-1]}"
            done = way * (mean - mean[0]) / whole
            start, end = int(np.flatnonzero(done <= 0.1).max()), int(np.flatnonzero(done >= 0.9).min())
            if start < end and places[end] - places[start] <= _STEEP * (places[-1] - places[0]):
                text += f", most of it between {values[start]} and {values[end]}"
            return text
    if 0 < top < last and goes(1, 0, top) and goes(-1, top, last):
        most = "likeliest" if is_class else "highest"
        return f"{subject} is {most} around {name} = {values[top]} ({said[top]}), {said[0]} at {values[0]} and {said[-1]} at {values[-1]}"
    if 0 < bottom < last and goes(-1, 0, bottom) and goes(1, bottom, last):
        least = "least likely" if is_class else "lowest"
        return (
            f"{subject} is {least} around {name} = {values[bottom]} ({said[bottom]}), {said[0]} at {values[0]} and "
            f"{said[-1]} at {values[-1]}"
        )
    return f"{subject} changes with {name} {_NO_SHAPE}: it goes between {said[bottom]} and {said[top]}"


def _examples(examples: dict[str, Any], is_regression: bool) -> dict[str, Any]:
    heads = list(examples["columns"])
    has_others = examples["others"] > 0 and examples["walks"] > 0
    if has_others:
        heads.append(f"{examples['others']} other column{'s' if examples['others'] != 1 else ''}")

    def moved(row: dict[str, Any], place: int) -> dict[str, str] | None:
        if row["moved"] is None:
            return None
        value = row["moved"][place]
        size = _figures(abs(value)) if is_regression else f"{abs(value) * 100:.0f}"
        if size == "0":
            return {"text": "0", "way": ""}
        is_sure = abs(value) > 2 * row["error"][place]
        return {"text": f"{'+' if value > 0 else '−'}{size}", "way": ("up" if value > 0 else "down") if is_sure else ""}

    rows = []
    for row in examples["rows"]:
        shown = [_cell(value) for value in row["cells"]] + ([""] if has_others else [])
        rows.append(
            {
                "kind": _KINDS[row["kind"]],
                "row": f"{row['row']:,}",
                "actual": _cell(row["actual"]) if is_regression else row["actual"],
                "answer": _figures(row["answer"], 4) if is_regression else row["answer"],
                "probability": None if is_regression else words.percent(row["probability"]),
                "is_right": None if is_regression else row["actual"] == row["answer"],
                "base": None if row["base"] is None else _figures(row["base"]) if is_regression else words.percent(row["base"]),
                "cells": [{"value": value, "moved": moved(row, place)} for place, value in enumerate(shown)],
            }
        )
    errors = [error for row in examples["rows"] if row["error"] is not None for error in row["error"]]
    unsure = None
    if errors:
        reach = 2 * float(np.median(errors))
        unsure = _figures(reach, 2) if is_regression else f"{max(100 * reach, 1):.0f}"
    return {"heads": heads, "rows": rows, "unsure": unsure, "is_regression": is_regression}


def _slices(findings: Findings) -> list[dict[str, str]]:
    evaluation, metric, rows = findings.evaluation, findings.metric, len(findings.train)
    overall = evaluation["validation"][metric]
    return [
        {
            "slice": entry["slice"],
            "rows": f"{entry['rows']:,} ({entry['rows'] / rows:.0%})",
            "score": words.score_text(metric, entry["score"]),
            "beside": _beside(metric, entry["score"], overall),
        }
        for entry in evaluation["worstSlices"]
    ]


def _beside(metric: str, value: float, overall: float | None) -> str:
    """How much worse a group's score is than that of all rows."""
    if overall is None:
        return ""
    if is_lower_better(metric):
        return f"{value / overall:.1f} times the error" if overall > 0 and value / overall < 100 else "far more error"
    return f"{words.score_text(metric, overall - value)} lower"


def more_rows(curve: dict[str, Any] | None) -> str:
    """Whether more rows would help, as far as half of those there are tells."""
    if curve is None:
        return "Whether more rows would help was not looked into: there are too few to halve, or too many for the time."
    half, rows = f"{curve['half']:,}", f"{curve['rows']:,}"
    less = f"{abs(curve['cut']):.1%}" if abs(curve["cut"]) < 0.1 else f"{abs(curve['cut']):.0%}"
    if curve["verdict"] == "HELPS":
        return f"More rows would likely help: {rows} instead of {half} to learn from cut a quick model's error by about {less}."
    if curve["verdict"] == "FLAT":
        return (
            f"More rows of the same kind would hardly help: {rows} instead of {half} to learn from "
            + (f"cut a quick model's error by only about {less}." if curve["cut"] > 0 else "did not cut a quick model's error.")
        )
    if curve["low"] > 0:
        return f"More rows may help a little: {rows} instead of {half} to learn from cut a quick model's error by about {less}."
    return (
        f"Whether more rows would help cannot be told: {rows} instead of {half} to learn from changed a quick model's error by no "
        "more than the folds differ among themselves."
    )


def _class_words(label: str, target: str) -> str:
    """A class as a sentence's subject: a name alone, or with the target where alone it says nothing ("1", "yes")."""
    is_name = len(label) > 3 and any(character.isalpha() for character in label) and label.lower() not in ("true", "false")
    return label if is_name else f"{target} = {label}"


def _value(value: Any, kind: str) -> str:
    if kind == "flag":
        return "yes" if value else "no"
    return _cell(value)


def _place(value: Any) -> float:
    return float(np.datetime64(value, "D").astype(int)) if isinstance(value, str) else float(value)


def _cell(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, float):
        return f"{value:.0f}".replace("-", "−") if value.is_integer() and abs(value) < 10_000 else _figures(value, 5)
    return value if len(value) <= _LONGEST_CELL else value[: _LONGEST_CELL - 1] + "…"


def _figures(value: float, figures: int = 3) -> str:
    """A number to so many significant figures, without zeros at its end that say nothing."""
    text = words.number(float(f"{value:.{figures}g}"))
    if "e" in text:
        return f"{value:.{figures}g}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
