"""What was checked before the score was believed, and what was found, for a reader who is no data scientist."""

from dataclasses import dataclass
from typing import Any

from ..twins import flatters
from . import words
from .findings import Findings

#: Warnings of `profile` that the checks say in their own words.
SHOWN = frozenset({"TARGET_COPY", "EMPTY_LATELY", "KNOWN_LATER"})
_MUCH = 0.85
_GIVEAWAYS = ("LEAK_LIKELY", "LEAK_POSSIBLE", "TARGET_IS_SUM")


@dataclass(frozen=True)
class Check:
    """One question about the data and its answer. mark: ok, look (worth a look) or plain (neither)."""

    question: str
    mark: str
    answer: str


def render(findings: Findings) -> list[Check]:
    """The checks that this table allowed, in the order they are read."""
    asked = (_copies(findings), _giveaways(findings), _known_late(findings), _twins(findings), _order(findings), _later(findings))
    return [check for check in asked if check is not None]


def _copies(findings: Findings) -> Check:
    found = [entry for entry in findings.profile["warnings"] if entry["code"] == "TARGET_COPY"]
    question = "Is a column the answer in another guise?"
    kept = findings.profile.get("copies") or {}
    if kept and not found:
        return Check(question, "plain", f"{_listed(list(kept))}: {', '.join(kept.values())}. Kept as asked.")
    if not found:
        return Check(question, "ok", f"No column is a copy of {findings.target}, under other names or in another unit.")
    return Check(question, "look", " ".join(_sentence(entry["message"]) for entry in found))


def _giveaways(findings: Findings) -> Check | None:
    question = "Do single columns give the answer away?"
    found = [entry for entry in findings.plan.get("warnings", []) if entry["code"] in _GIVEAWAYS]
    if found:
        why = "Such a column is often filled in after the fact; then the score is too good, and the model of no use on new rows."
        return Check(question, "look", " ".join([*(_sentence(entry["message"]) for entry in found), why]))
    strongest = findings.plan.get("checks", {}).get("strongest")
    if strongest is None:
        return None
    share = f"{max(strongest['strength'], 0):.2f} on a scale where 0 is nothing and 1 is all"
    kept = (findings.profile.get("request") or {}).get("keepColumns") or []
    if strongest["name"] in kept:
        return Check(question, "plain", f'"{strongest["name"]}" tells the most ({share}), and is kept as asked.')
    if strongest["strength"] >= _MUCH:
        text = f'"{strongest["name"]}" tells very much ({share}), but others do as well. Make sure it is known before the answer is.'
        return Check(question, "plain", text)
    return Check(question, "ok", f'None tells suspiciously much. The most telling is "{strongest["name"]}": {share}.')


def _known_late(findings: Findings) -> Check | None:
    if not (findings.profile.get("request") or {}).get("timeColumn"):
        return None
    question = "Is every column known at the time?"
    found = [entry for entry in findings.profile["warnings"] if entry["code"] in ("EMPTY_LATELY", "KNOWN_LATER")]
    if not found:
        return Check(question, "ok", "No column empties in the latest rows, and none holds dates later than the row's own.")
    return Check(question, "look", " ".join(_sentence(f"{_listed(entry['columns'])}: {entry['message']}") for entry in found))


def _twins(findings: Findings) -> Check | None:
    found = findings.evaluation.get("twins")
    if found is None:
        return None
    question = "Are sealed rows also among those learnt from?"
    if found["twins"] == 0:
        return Check(question, "ok", "No sealed row equals a row learnt from.")
    metric = findings.metric
    name, all_rows = words.METRIC_NAMES[metric], words.score_text(metric, findings.evaluation["holdout"][metric])
    text = (
        f"{found['twins']:,} of {found['rows']:,} sealed rows ({words.percent(found['twins'] / found['rows'])}) equal a row learnt from "
        f"in every column used, {found['agreeing']:,} in the answer too."
    )
    folds = ""
    if found["validationWithout"] is not None:
        without = words.score_text(metric, found["validationWithout"])
        folds = f" In validation {found['inFolds']:,} rows have such a twin in another fold; without them it said {without}."
    if found["withoutTwins"] is None:
        rest = "Too few are left to score without them: if new rows repeat old ones as often, the score holds."
        return Check(question, "plain", f"{text} {rest}{folds}")
    alone = words.score_text(metric, found["withoutTwins"])
    if flatters(found, metric, findings.evaluation["interval"]):
        rest = f"Without them {name} is {alone} instead of {all_rows}: expect that on rows that are truly new."
        return Check(question, "look", f"{text} {rest}{folds}")
    return Check(question, "ok", f"{text} Without them {name} is {alone} ({all_rows} with them), within what chance does.{folds}")


def _order(findings: Findings) -> Check | None:
    question = "Do rows change along the file?"
    checks = findings.plan.get("checks", {})
    if checks.get("sortedByTarget"):
        text = f"The file is sorted by {findings.target}. That does no harm: rows are shuffled before they are split."
        return Check(question, "ok", text)
    drift = checks.get("drift")
    if drift is None:
        return None
    if drift["sortedBy"]:
        text = (
            f'The file is sorted by "{drift["sortedBy"]}". That does no harm, as rows are shuffled before they are split; but if new rows '
            "will bring new values of it, name it as the column of groups."
        )
        return Check(question, "plain", text)
    ordered = ""
    if drift["orderedBy"]:
        ordered = f" Rows stand in the order of {_listed(drift['orderedBy'])}, left out of this comparison."
    if not drift["isNotable"]:
        return Check(question, "ok", f"The second half of the file looks like the first ({_told(drift)}).{ordered}")
    text = (
        f"The second half of the file differs from the first ({_told(drift)}), most of all in {_listed(drift['columns'])}.{ordered} "
        "The score is for rows mixed from all of it. If the file follows time, rows to come will be like its end: name a time column "
        "to be scored on that."
    )
    return Check(question, "look", text)


def _later(findings: Findings) -> Check | None:
    drift = findings.evaluation.get("drift")
    if drift is None:
        return None
    question = "Are the latest rows like the earlier ones?"
    if not drift["isNotable"]:
        return Check(question, "ok", f"The sealed, latest rows look like those learnt from ({_told(drift)}).")
    text = f"The sealed, latest rows differ from those learnt from ({_told(drift)}), most of all in {_listed(drift['columns'])}."
    advice = "The score already counts that in; it may get worse as time goes on. Train again on newer rows."
    return Check(question, "look", f"{text} {advice}")


def _told(drift: dict[str, Any]) -> str:
    """The AUC in words: never under a guess, which chance alone gives now and then."""
    share = max(drift["auc"], 0.5)
    return f"shown one row of each, a quick model says which is which {share * 100:.0f} times in 100; guessing does 50 times"


def _listed(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names[:5]]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}" if quoted else "many columns a little"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."
