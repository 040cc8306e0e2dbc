"""`prepare`: decide how each column becomes features. Looks at training rows only; fits nothing."""

from typing import Any

from . import workspace
from .doubts import look_for_doubts
from .screening import kept_width
from .texts import count_ahead
from .wire import emit_progress

_SMALL_CARDINALITY = 10
_TEXT_COMPONENTS = 16
_DATE_PARTS = 6

TREATMENTS = {
    "NUMERIC": "number",
    "BOOLEAN": "flag",
    "CATEGORICAL": "category",
    "DATE": "date parts",
    "TEXT": "text",
}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `prepare` request: see PROTOCOL.md."""
    train = workspace.load_train()
    profile = workspace.load_profile()
    features: list[dict[str, Any]] = []
    dropped: list[dict[str, Any]] = []
    decisions: list[str] = []
    for kind in profile["schema"]:
        values = train.X[kind["name"]]
        distinct = int(values.nunique())
        if distinct == 0 or (distinct == 1 and not values.isna().any()):
            dropped.append({"name": kind["name"], "reason": "one value in all training rows"})
            continue
        features.append(
            {
                "name": kind["name"],
                "type": kind["type"],
                "treatment": _treatment(kind["type"], distinct),
                "kind": TREATMENTS[kind["type"]],
                "distinct": distinct,
                "missing": int(values.isna().sum()),
            }
        )
    if not features:
        # The profile saw values that differ, but none of them are in training rows: keep one column, so that the
        # baseline and every family still run and say honestly that there is nothing to learn.
        name = profile["schema"][0]["name"]
        kind = profile["schema"][0]["type"]
        features.append(
            {"name": name, "type": kind, "treatment": _treatment(kind, 1), "kind": TREATMENTS[kind], "distinct": 1, "missing": 0}
        )
        dropped = [entry for entry in dropped if entry["name"] != name]
    decisions.extend(_say_treatments(features))
    doubts = look_for_doubts(train, [entry["name"] for entry in features], profile, int(request["seed"]))
    decisions.extend(doubts.decisions)
    width = sum(_width(entry) for entry in features)
    kept = kept_width(width, round(len(train) * (1 - 1 / _folds())))
    if kept < width:
        decisions.append(
            f"{width:,} numbers a row are too many for {len(train):,} rows and this time: each fold's models use the {kept:,} or "
            "so that tell most of the target alone, chosen on that fold's training rows."
        )
    long = count_ahead(train.X, features)
    if long:
        for entry in features:
            entry["counted"] = entry["name"] in long
        decisions.append(f"There is much text in {', '.join(long)}: its single words are counted, without pairs of words.")
    result = {
        "features": features,
        "dropped": dropped,
        "decisions": decisions,
        "warnings": doubts.warnings,
        "checks": doubts.checks,
        "estimates": {"rows": len(train), "features": kept},
    }
    workspace.save_json(workspace.PLAN, result)
    del result["checks"]
    emit_progress(1.0, f"{len(features)} columns to use, {len(dropped)} dropped")
    return result


def _folds() -> int:
    return int(workspace.load_folds().max()) + 1


def _treatment(kind: str, distinct: int) -> str:
    if kind == "CATEGORICAL":
        how = "one-hot" if distinct <= _SMALL_CARDINALITY else "frequency and out-of-fold target encoding"
        return f"category with {distinct} values: native in boosters, {how} elsewhere"
    return {
        "NUMERIC": "number: as it is in trees; median, scaling and a missing flag elsewhere",
        "BOOLEAN": "flag",
        "DATE": "year, month, day, weekday, hour and days elapsed",
        "TEXT": f"TF-IDF of words, reduced to at most {_TEXT_COMPONENTS} components, and lengths",
    }[kind]


def _say_treatments(features: list[dict[str, Any]]) -> list[str]:
    by_kind: dict[str, list[str]] = {}
    for entry in features:
        by_kind.setdefault(entry["kind"], []).append(entry["name"])
    said = []
    for kind, names in by_kind.items():
        listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        said.append(f"{len(names)} as {kind}: {listed}.")
    said.append("Everything learnt from the data (fill-ins, scales, encodings, text components) is fitted inside each fold.")
    return said


def _width(entry: dict[str, Any]) -> int:
    """About how many numbers one column becomes outside the boosters."""
    if entry["kind"] == "category":
        return entry["distinct"] if entry["distinct"] <= _SMALL_CARDINALITY else 2
    return {"number": 1, "flag": 1, "date parts": _DATE_PARTS, "text": _TEXT_COMPONENTS + 2}[entry["kind"]]
