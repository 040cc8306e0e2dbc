"""How rows were split, and what that means for the interval, in sentences for the report."""

from typing import Any

#: An interval of fewer units is a rough one.
_FEW_UNITS = 10


def how_split(split: dict[str, Any], profile: dict[str, Any], evaluation: dict[str, Any]) -> str:
    """Which rows were sealed and how the folds were made, with what that means for the interval."""
    return " ".join([*split["decisions"], *_what_the_interval_draws(profile["request"], evaluation)])


def _what_the_interval_draws(asked: dict[str, Any], evaluation: dict[str, Any]) -> list[str]:
    """A sentence where it is not simply rows (see resampling)."""
    found = evaluation.get("intervalOf")
    if found is None:
        return []
    units, rough = found["units"], f" With {found['units']} of them it is a rough one." if found["units"] < _FEW_UNITS else ""
    if found["drawn"] == "GROUPS" and units == 1:
        return ["There is no interval: a single sealed group does not tell how groups differ."]
    if evaluation["interval"] is None:
        return []
    if found["drawn"] == "GROUPS":
        return [f"The interval draws whole groups, as rows of one resemble each other.{rough}"]
    if found["drawn"] == "TIMES" and found["length"] > 1:
        together = f"stretches of {found['length']} neighbouring times, over which the model's errors resemble each other"
        return [f"The interval draws {together}."]
    if found["drawn"] == "TIMES":
        return ["The interval draws whole times: the model's errors at neighbouring ones do not resemble each other."]
    if asked.get("timeColumn"):
        return ["The interval draws single rows, for too few times are sealed to tell how they differ: it may be too narrow."]
    return []
