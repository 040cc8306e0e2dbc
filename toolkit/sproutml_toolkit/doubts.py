"""What the training rows give reason to doubt before anything is trained: columns that give the target away, rows that change."""

from dataclasses import dataclass, field
from typing import Any

from . import file_order
from .copies import summands
from .leaks import strengths, suspects
from .workspace import Table


@dataclass
class Doubts:
    """warnings: as `profile` words them. decisions: sentences. checks: figures for the report {strongest, drift, sortedByTarget}."""

    warnings: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    checks: dict[str, Any] = field(default_factory=dict)

    def warn(self, code: str, message: str, names: list[str]) -> None:
        self.warnings.append({"code": code, "message": message, "columns": names})
        about = "" if any(f'"{name}"' in message for name in names) else f": {', '.join(names)}"
        self.decisions.append(f"{message[0].upper()}{message[1:]}{about}.")


def look_for_doubts(train: Table, names: list[str], profile: dict[str, Any], seed: int) -> Doubts:
    """`names` are the features to use; `profile` as in workspace. Columns that the user asked to keep are not warned of."""
    doubts = Doubts()
    _give_away(doubts, train, names, profile, seed)
    _change(doubts, train, names, profile, seed)
    return doubts


def _give_away(doubts: Doubts, train: Table, names: list[str], profile: dict[str, Any], seed: int) -> None:
    request, target = profile["request"], profile["target"]["name"]
    kept = set(request.get("keepColumns") or [])
    alone = strengths(train, names, profile["task"], len(profile["classes"] or []), seed)
    if alone:
        strongest = max(alone, key=lambda name: alone[name])
        doubts.checks["strongest"] = {"name": strongest, "strength": alone[strongest]}
    found = [suspicion for suspicion in suspects(alone) if suspicion.name not in kept]
    for suspicion in found:
        name, of_one = suspicion.name, f"{suspicion.strength:.3f} where 1 is all"
        if suspicion.likely:
            advice = "if it is not known before the target is, leave it out (ignoreColumns)"
            message = f'"{name}" alone nearly gives "{target}" away ({of_one}): {advice}'
        else:
            advice = "make sure it is known before the target is"
            message = f'"{name}" alone tells far more of "{target}" than any other column ({of_one}): {advice}'
        doubts.warn("LEAK_LIKELY" if suspicion.likely else "LEAK_POSSIBLE", message, [name])
    parts = summands(train.X, names, train.y, seed) if profile["task"] == "REGRESSION" else []
    if parts and not set(parts) <= kept:
        listed = ", ".join(f'"{name}"' for name in parts[:-1]) + f' and "{parts[-1]}"'
        advice = "if they are known no sooner, leave them out (ignoreColumns)"
        doubts.warn("TARGET_IS_SUM", f'"{target}" is {listed} added up or taken from each other: {advice}', parts)


def _change(doubts: Doubts, train: Table, names: list[str], profile: dict[str, Any], seed: int) -> None:
    if profile["request"].get("timeColumn"):
        return  # `evaluate` sets earlier rows beside the later, sealed ones.
    if file_order.is_sorted_by_target(train.y, profile["task"] != "REGRESSION"):
        doubts.checks["sortedByTarget"] = True
        doubts.decisions.append("The file is sorted by the target, which does no harm: rows are shuffled before they are split.")
        return
    drift = file_order.drift_along(train.X, names, seed)
    if drift is None:
        return
    doubts.checks["drift"] = drift.to_json()
    if drift.is_notable:
        times = f"{drift.auc * 100:.0f} times in 100 (guessing: 50)"
        told = f"a quick model knows a row of its first half from one of its second {times}"
        message = f"rows change along the file: {told}; if it follows time, name a timeColumn"
        if drift.columns:
            message += ". What changes most"
        doubts.warn("DRIFT", message, drift.columns)
