"""The findings in plain language, for a reader who is no data scientist."""

import math
from dataclasses import dataclass
from typing import Any

from ..label_rule import probability_words

METRIC_NAMES = {
    "ROC_AUC": "ROC AUC",
    "PR_AUC": "PR AUC",
    "LOG_LOSS": "log loss",
    "ACCURACY": "accuracy",
    "BALANCED_ACCURACY": "balanced accuracy",
    "F1": "F1",
    "F1_MACRO": "macro F1",
    "MCC": "MCC",
    "RMSE": "RMSE",
    "MAE": "mean absolute error",
    "MEDIAN_AE": "median absolute error",
    "MAPE": "MAPE",
    "RMSLE": "RMSLE",
    "PINBALL": "pinball loss",
    "R2": "R²",
}

METRIC_MEANINGS = {
    "ROC_AUC": "How often a row of the class is ranked above a row that is not. 0.5 is guessing, 1 is perfect.",
    "PR_AUC": "Precision averaged over all levels of recall. Guessing gives the share of the class, 1 is perfect.",
    "LOG_LOSS": "How far the said probabilities are from the truth; sure mistakes cost most. 0 is perfect.",
    "ACCURACY": "The share of rows whose class is named rightly.",
    "BALANCED_ACCURACY": "The share named rightly, averaged over classes, so that rare ones count as much.",
    "F1": "The balance of precision and recall for the positive class. 1 is perfect.",
    "F1_MACRO": "F1 averaged over the classes, so that rare ones count as much.",
    "MCC": "The correlation of named and real class. 0 is guessing, 1 is perfect.",
    "RMSE": "The typical size of an error, in the target's units; big errors weigh more. 0 is perfect.",
    "MAE": "The average size of an error, in the target's units.",
    "MEDIAN_AE": "Half of all errors are smaller than this, in the target's units.",
    "MAPE": "The average error as a share of the real value.",
    "RMSLE": "The typical error as a ratio: 0.1 is about 10%.",
    "PINBALL": "The average error, where values on the rarer side of the asked quantile weigh more. 0 is perfect.",
    "R2": "The share of the target's variation that the model explains. 0 is the mean, 1 is perfect.",
}

_UNITLESS = frozenset({"ROC_AUC", "PR_AUC", "LOG_LOSS", "ACCURACY", "BALANCED_ACCURACY", "F1", "F1_MACRO", "MCC", "RMSLE", "R2", "MAPE"})

#: Caveats under which a model is still of use, if its reader knows them; the rest speak against using it.
_AGAINST = frozenset({"NOT_BETTER_THAN_BASELINE"})


@dataclass(frozen=True)
class Verdict:
    """`level` is good, careful or poor."""

    level: str
    headline: str
    reasons: list[str]


def number(value: float | None) -> str:
    """Four significant figures at most, thousands parted, no exponents for everyday sizes."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < 15:
        text = f"{value:,.{max(0, 3 - size)}f}"
        return (text.rstrip("0").rstrip(".") if "." in text and size < 3 and abs(value) >= 1 else text).replace("-", "−")
    return f"{value:.3e}".replace("-", "−")


def score_text(metric: str, value: float | None) -> str:
    """A score as it is written everywhere in the report: three decimals (or figures) for what has no unit, four figures for what has."""
    if value is None or not math.isfinite(value):
        return "–"
    if metric in _UNITLESS and (0.01 <= abs(value) <= 1 or value == 0):
        # What is not perfect must not look so.
        text = f"{value:.3f}" if value == 1 or value < 0.9995 else f"{math.floor(value * 1e5) / 1e5:.5f}".rstrip("0")
        return text.replace("-", "−")
    if metric in _UNITLESS and 1e-4 <= value < 0.01:
        return f"{value:.3g}"
    return number(value)


def duration(seconds: float) -> str:
    """1.2 s, 48 s, 3 min 5 s, 2 h 4 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def summary(profile: dict[str, Any], evaluation: dict[str, Any], best_name: str, features: int) -> str:
    """Three or four sentences, plain text: what was predicted, how good against the baseline, how sure, and the catch if any."""
    metric, target = evaluation["metric"], profile["target"]["name"]
    value, rows = headline_score(evaluation)
    name = METRIC_NAMES[metric]
    where = f"on {rows:,} sealed rows" if evaluation["holdout"] is not None else "in cross-validation"
    first = f"The model predicts {target}{_what_it_is(profile)} from {features:,} column{'s' if features != 1 else ''}."
    scored = f"reaches {name} {score_text(metric, value)}" if value is not None else f"could not be scored by {name}"
    second = f"The best one found, {best_name}, {scored} {where}"
    interval, floor = evaluation["interval"], baseline_score(evaluation)
    beside = []
    if interval is not None:
        beside.append(f"95% interval {score_text(metric, interval['low'])} to {score_text(metric, interval['high'])}")
    if floor is not None:
        beside.append(f"baseline {score_text(metric, floor)}")
    second += f" ({'; '.join(beside)})." if beside else "."
    sentences = [first, second, plain_meaning(metric, value, floor, target), coverage_words(evaluation, target)]
    if any(warning["code"] in _AGAINST for warning in evaluation["warnings"]):
        sentences.append("That is not clearly better than the baseline.")
    return " ".join(sentence for sentence in sentences if sentence)


def rule_sentence(rule: dict[str, Any] | None, metric: str, classes: list[str] | None) -> str | None:
    """How the model gets from probabilities to labels, where it does not name the most probable (rule: see model.rule_facts)."""
    if rule is None or classes is None:
        return None
    chosen = f"chosen on validation rows for {METRIC_NAMES[metric]}"
    if rule["threshold"] is not None:
        return f"“{classes[1]}” is answered from a probability of {probability_words(rule['threshold'])} on, {chosen}."
    by_weight = sorted(classes, key=lambda name: rule["weights"][name])
    times = rule["weights"][by_weight[-1]] / rule["weights"][by_weight[0]]
    return (
        f"Rare classes are named sooner: a probability of “{by_weight[-1]}” counts {number(float(f'{times:.2g}'))} times one of "
        f"“{by_weight[0]}”, {chosen}."
    )


def headline_score(evaluation: dict[str, Any]) -> tuple[float | None, int | None]:
    """The score that counts: on the sealed rows where there are any, else of validation; and how many rows it is from.

    None where the metric is undefined on the sealed rows.
    """
    if evaluation["holdout"] is not None:
        return evaluation["holdout"][evaluation["metric"]], evaluation["rows"]
    return evaluation["validation"][evaluation["metric"]], None


def baseline_score(evaluation: dict[str, Any]) -> float | None:
    """The baseline's score on the rows of `headline_score`."""
    return evaluation["baseline"]["holdout" if evaluation["holdout"] is not None else "validation"]


def plain_meaning(metric: str, value: float | None, floor: float | None, target: str) -> str:
    """One sentence that puts the score in everyday terms beside the baseline's."""
    if value is None:
        return ""
    if metric == "ROC_AUC":
        return f"Shown one row of each kind, it picks the right one {_in_a_hundred(value)} times in 100; guessing does 50 times."
    if metric in ("ACCURACY", "BALANCED_ACCURACY"):
        beside = f"; always naming the commonest class, {_in_a_hundred(floor)}" if floor is not None else ""
        rows = "100 rows" if metric == "ACCURACY" else "100 rows of evenly mixed classes"
        return f"It is right about {_in_a_hundred(value)} of {rows}{beside}."
    if metric == "LOG_LOSS":
        beside = f"; the baseline gives it {math.exp(-floor):.0%}" if floor is not None else ""
        return f"It typically gives the true answer a probability of {percent(math.exp(-value))}{beside}."
    if metric in ("RMSE", "MAE", "MEDIAN_AE"):
        beside = f", {1 - value / floor:.0%} less than always answering the median" if floor and value < 0.995 * floor else ""
        kind = {"RMSE": "A typical error is", "MAE": "Errors average", "MEDIAN_AE": "Half of all errors are below"}[metric]
        return f"{kind} {number(value)} in the units of {target}{beside}."
    if metric == "PINBALL":
        return f"That is {1 - value / floor:.0%} less than one number for all rows." if floor and value < 0.995 * floor else ""
    if metric in ("MAPE", "RMSLE"):
        return f"Predictions are typically off by about {(value if metric == 'MAPE' else math.expm1(value)):.1%} of the real value."
    if metric == "R2":
        return f"It explains {max(value, 0):.0%} of what makes {target} vary."
    return f"0 is worthless and 1 is perfect{f'; the baseline gets {score_text(metric, floor)}' if floor is not None else ''}."


def coverage_words(evaluation: dict[str, Any], target: str) -> str:
    """How often a quantile lies above the value, as it should or not; nothing for another metric."""
    coverage = evaluation.get("coverage")
    if coverage is None:
        return ""
    sealed = coverage["holdout"] is not None
    share, where = coverage["holdout" if sealed else "validation"], "sealed rows" if sealed else "validation rows"
    return f"Its answers are to lie at or above {target} in {percent(coverage['wanted'])} of rows, and do in {percent(share)} of the {where}."


def verdict(evaluation: dict[str, Any], train_rows: int) -> Verdict:
    """Whether to trust the score and use the model, with the reasons either way."""
    metric, interval = evaluation["metric"], evaluation["interval"]
    validation, codes = evaluation["validation"][metric], {warning["code"] for warning in evaluation["warnings"]}
    reasons = []
    value, _ = headline_score(evaluation)
    if evaluation["holdout"] is not None and value is None:
        reasons.append(f"{METRIC_NAMES[metric]} can't be computed on the sealed rows: only the validation score is known.")
    elif evaluation["holdout"] is not None:
        reasons.append(f"The score is from {evaluation['rows']:,} rows sealed off before anything looked at the data, and scored once.")
    else:
        reasons.append(f"No rows were sealed off: the score is from cross-validation on {train_rows:,} rows, and may flatter a little.")
    if "NOT_BETTER_THAN_BASELINE" not in codes and interval is not None:
        reasons.append("Even the cautious end of the interval beats the baseline, which looks at no column at all.")
    if interval is not None and validation is not None and interval["low"] <= validation <= interval["high"]:
        reasons.append(f"The validation score ({score_text(metric, validation)}) lies inside the interval: no sign of overfitting.")
    if codes & _AGAINST:
        return Verdict("poor", "Not ready to be used", reasons)
    if codes or evaluation["holdout"] is None or value is None:
        return Verdict("careful", "Usable, with care", reasons)
    return Verdict("good", "A score you can trust", reasons)


def _what_it_is(profile: dict[str, Any]) -> str:
    if profile["task"] == "REGRESSION":
        return " (a number)"
    classes = [str(entry["label"]) for entry in profile["classes"]]
    if len(classes) <= 3:
        return f" ({', '.join(classes[:-1])} or {classes[-1]})"
    return f" ({len(classes)} classes)"


def _in_a_hundred(share: float) -> str:
    """87, and never a rounded-up 100 for what is not perfect."""
    times = share * 100
    if 99.5 <= times < 100:
        return f"{math.floor(times * 10) / 10:g}"
    return f"{times:.0f}"


def percent(share: float) -> str:
    """87%; never a rounded 100% for what is not sure, nor 0% for what is possible."""
    if 0 < share < 0.005:
        return "<1%"
    return f"{math.floor(share * 1000) / 10:g}%" if 0.995 <= share < 1 else f"{share:.0%}"
