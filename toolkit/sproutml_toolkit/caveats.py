"""What a careful reader should be told before trusting a score."""

from typing import Any

import numpy as np

from .metrics import is_lower_better, labels
from .twins import flatters

_FEW_ROWS = 50
# Metrics that are a mean over classes, and what a single row should not move them by.
_OF_CLASSES = frozenset({"BALANCED_ACCURACY", "F1_MACRO"})
_MUCH_FOR_A_ROW = 0.05
# A gain over the baseline of under a thousandth is none.
_TRIFLE = 1e-3
# From the half width of a 95% interval to that of a 99% one: a warning in every twentieth sound job would wear out.
_SURE_99 = 2.576
_TO_99 = _SURE_99 / 1.960


def caveats(evaluation: dict[str, Any], profile: dict[str, Any], y: np.ndarray, oof: np.ndarray) -> list[dict[str, str]]:
    """Warnings {code, message} about an evaluation (see evaluate.run), the gravest first.

    `y` and `oof` are the training rows' targets and out-of-fold scores, weighed by the rule for labels. Codes:
    NOT_BETTER_THAN_BASELINE VALIDATION_OPTIMISTIC HOLDOUT_EASIER TWINS_FLATTER LATER_ROWS_DIFFER COVERAGE_OFF TOO_GOOD
    HOLDOUT_SMALL FEW_ROWS_DECIDE CLASS_NEVER_PREDICTED.
    """
    checks = (
        _against_baseline(evaluation),
        _against_holdout(evaluation),
        _twins(evaluation),
        _drift(evaluation),
        _coverage(evaluation),
        _giveaway(evaluation),
        _few_rows(evaluation),
    )
    found = [warning for warning in checks if warning is not None]
    if profile["task"] != "REGRESSION":
        names = [str(entry["label"]) for entry in profile["classes"]]
        found += _few_of_class(evaluation, names)
        found += _never_predicted(names, y, oof)
    return found


def _warning(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _against_baseline(evaluation: dict[str, Any]) -> dict[str, str] | None:
    metric, interval, baseline = evaluation["metric"], evaluation["interval"], evaluation["baseline"]
    lower = is_lower_better(metric)
    if interval is not None and baseline["holdout"] is not None:
        floor = baseline["holdout"]
        margin = floor - interval["high"] if lower else interval["low"] - floor
        if margin > _TRIFLE * abs(floor):
            return None
        return _warning(
            "NOT_BETTER_THAN_BASELINE",
            f"the baseline's {metric} of {floor:.4g} is not beyond doubt worse than the model's interval of {interval['low']:.4g} "
            f"to {interval['high']:.4g}: the columns may say little about the target",
        )
    validation, floor = evaluation["validation"][metric], baseline["validation"]
    if floor is None or validation is None or (validation < floor if lower else validation > floor):
        return None
    return _warning(
        "NOT_BETTER_THAN_BASELINE", f"a {metric} of {validation:.4g} is no better than the baseline's {floor:.4g}"
    )


def _against_holdout(evaluation: dict[str, Any]) -> dict[str, str] | None:
    """Validation and holdout differ by more than chance in both would explain 99 times in 100."""
    metric, interval = evaluation["metric"], evaluation["interval"]
    validation = evaluation["validation"][metric]
    if interval is None or validation is None:
        return None
    sealed, around = evaluation["holdout"][metric], evaluation.get("validationInterval")
    # The ends that face each other; independent errors add by their squares.
    facing = ("low", "high") if validation < sealed else ("high", "low")
    sealed_error = interval[facing[0]] - sealed
    validation_error = around[facing[1]] - validation if around else 0.0
    if abs(validation - sealed) <= _TO_99 * np.hypot(sealed_error, validation_error):
        return None
    if evaluation["gap"] > 0:
        return _warning(
            "VALIDATION_OPTIMISTIC",
            f"validation said {validation:.4g}, but the sealed rows put {metric} between {interval['low']:.4g} and "
            f"{interval['high']:.4g}: believe the sealed rows",
        )
    return _warning(
        "HOLDOUT_EASIER",
        f"the sealed rows scored better ({sealed:.4g}) than validation ({validation:.4g}) beyond chance: they may be easier, and all "
        "folds' models answer them together, but only one a row of validation: expect something between the two on new rows",
    )


def _twins(evaluation: dict[str, Any]) -> dict[str, str] | None:
    found, metric = evaluation.get("twins"), evaluation["metric"]
    if not found or not flatters(found, metric, evaluation["interval"]):
        return None
    return _warning(
        "TWINS_FLATTER",
        f"{found['twins']:,} of {found['rows']:,} sealed rows equal a training row in every column: without them {metric} is "
        f"{found['withoutTwins']:.4g} instead of {evaluation['holdout'][metric]:.4g}; expect that on rows that are truly new",
    )


def _drift(evaluation: dict[str, Any]) -> dict[str, str] | None:
    drift = evaluation.get("drift")
    if not drift or not drift["isNotable"]:
        return None
    return _warning(
        "LATER_ROWS_DIFFER",
        f"the sealed, later rows are unlike those learnt from: a quick model tells them apart in {drift['auc']:.0%} of pairs (guessing "
        f"does in 50%), most of all by {', '.join(drift['columns'])}: train again when newer rows are at hand",
    )


def _coverage(evaluation: dict[str, Any]) -> dict[str, str] | None:
    """A quantile lies above fewer or more of the sealed rows than chance would explain 99 times in 100."""
    coverage, rows = evaluation.get("coverage"), evaluation.get("rows")
    if coverage is None or not rows:
        return None
    wanted, share = coverage["wanted"], coverage["holdout"]
    if abs(share - wanted) <= _SURE_99 * np.sqrt(wanted * (1 - wanted) / rows):
        return None
    return _warning(
        "COVERAGE_OFF",
        f"{share:.1%} of the sealed rows lie at or below the answers, which are to lie above {wanted:.1%}: the answers are too "
        + ("low" if share < wanted else "high, or many values are the same"),
    )


def _giveaway(evaluation: dict[str, Any]) -> dict[str, str] | None:
    """An almost perfect model that rests on one column alone has often found the target in disguise."""
    holdout, importances = evaluation["holdout"], evaluation["importances"]
    if not holdout or not importances:
        return None
    perfect = max(holdout.get("R2") or 0, holdout.get("ROC_AUC") or 0)
    positive = [max(entry["mean"], 0) for entry in importances]
    if perfect < 0.995 or len(positive) < 2 or positive[0] <= 0.95 * sum(positive):
        return None
    return _warning(
        "TOO_GOOD",
        f'nearly all of an almost perfect score rests on the column "{importances[0]["feature"]}": check that it is known at the '
        "time of prediction and is not the target in disguise",
    )


def _few_rows(evaluation: dict[str, Any]) -> dict[str, str] | None:
    rows = evaluation.get("rows")
    if rows is None or rows >= _FEW_ROWS:
        return None
    return _warning("HOLDOUT_SMALL", f"only {rows} sealed rows: the holdout score is a rough one, see its interval")


def _few_of_class(evaluation: dict[str, Any], names: list[str]) -> list[dict[str, str]]:
    """Metrics that count every class as much hang on the rows of those that have few."""
    counts, metric = np.array(evaluation.get("rowsOfClass") or [0]), evaluation["metric"]
    if metric not in _OF_CLASSES or not counts.any():
        return []
    weight = 1 / int((counts > 0).sum())
    few = [place for place in np.argsort(counts, kind="stable") if counts[place] and weight / counts[place] >= _MUCH_FOR_A_ROW]
    if not few:
        return []
    listed = ", ".join(f'"{names[place]}" has {counts[place]:,}' for place in few[:5]) + (" …" if len(few) > 5 else "")
    moves = weight / counts[few[0]]
    return [
        _warning(
            "FEW_ROWS_DECIDE",
            f"{metric} counts every class as much, and of the sealed rows {listed}: a single one of them moves it by up to {moves:.2f}",
        )
    ]


def _never_predicted(names: list[str], y: np.ndarray, oof: np.ndarray) -> list[dict[str, str]]:
    known = np.isfinite(oof).all(axis=1)
    said = np.bincount(labels(oof[known]), minlength=len(names))
    so = np.bincount(y, minlength=len(names))
    never = [name for name, times, support in zip(names, said, so, strict=True) if times == 0 and support > 0]
    if not never:
        return []
    some = ", ".join(never[:5]) + (" …" if len(never) > 5 else "")
    return [
        _warning("CLASS_NEVER_PREDICTED", f"the model's first choice is never {some}: use its probabilities to find such rows")
    ]
