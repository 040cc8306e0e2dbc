"""The `evaluate` command: how good a trial is, how sure that is, and where it is weak.

On rows the folds held out, and, when asked, once on the sealed rows that nothing in the job ever saw.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from . import bootstrap, texts, workspace
from .agent_code.model import serve_through
from .baseline import baseline_scores
from .caveats import caveats
from .explain import Job, explain
from .file_order import drift_between
from .label_rule import LabelRule, find_rule, rule_of, weighed, weighed_oof
from .learning_curve import learning_curve
from .metrics import all_metrics, is_lower_better, metric_of, quantile_of, score, share_below
from .model import fitted_model
from .resampling import units_of
from .slices import worst_slices
from .speed import TimedModel
from .twins import find_twins
from .wire import emit_log, emit_progress, finite
from .workspace import Table

VALIDATION_EVALUATION = Path("work/evaluation.json")
HOLDOUT_EVALUATION = Path("sealed/evaluation.json")
HOLDOUT_SCORES = Path("sealed/holdout-scores.npy")

# So many training rows leave chance little say in the validation score.
_ROWS_WITHOUT_CHANCE = 50_000
_EXPLANATION_SECONDS = 2.5
#: Of the time limit, for the learning curve.
_LEARNING_SHARE = 0.10
#: Kept in the file, not in the result.
_FOR_THE_REPORT = (
    "rows", "rowsOfClass", "resamples", "validationInterval", "partialDependence", "examples", "learningCurve", "twins", "drift", "cut",
)  # fmt: skip


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve `evaluate`: {trialId, holdout, seed, timeLimitSeconds?} to the result of PROTOCOL.md.

    `timeLimitSeconds` bounds the permutation importances; the other explanations together get a third of it more (see explain).
    `gap` is how much worse the holdout score is than the validation score, in the metric's units: negative when it is better.
    """
    serve_through(request)
    trial_id, sealed, seed = request["trialId"], bool(request["holdout"]), int(request["seed"])
    profile = workspace.load_profile()
    task, name, metric = profile["task"], profile["metric"], metric_of(profile)
    trial, train, folds = workspace.load_trial(trial_id), workspace.load_train(), workspace.load_folds()
    if sealed:
        texts.recall(train.X)
    decisive = weighed_oof(rule_of(trial.result), trial.oof, folds)

    emit_progress(0.05, "scoring the rows the folds held out")
    slices = worst_slices(metric, train.X, train.y, decisive, seed)
    prior = baseline_scores(metric, task, train.y, len(train), trial.oof.shape[-1])
    prior_rule = find_rule(metric, train.y, prior, folds)
    evaluation: dict[str, Any] = {
        "trialId": trial_id,
        "metric": name,
        # The job's own metric as training scored it, so that leaderboard and evaluation never differ.
        "validation": all_metrics(task, train.y, trial.oof, decisive, metric) | {name: trial.result["score"]},
        "baseline": {"validation": score(metric, train.y, weighed_oof(prior_rule, prior, folds)), "holdout": None},
        "holdout": None,
        "interval": None,
        "gap": None,
        "coverage": _coverage(metric, train.y, trial.oof),
        "warnings": [],
        "worstSlices": [asdict(entry) for entry in slices],
        "importances": None,
        "partialDependence": None,
        "examples": None,
        "learningCurve": None,
        "twins": None,
        "drift": None,
        "intervalOf": None,
        "cut": [],
    }
    if sealed:
        time_limit = request.get("timeLimitSeconds") or _EXPLANATION_SECONDS
        _add_holdout(evaluation, profile, train, decisive, prior_rule, seed, time_limit)
        emit_progress(0.9, "learning from half of the rows, to see whether more would help")
        features = workspace.load_plan()["features"]
        curve = learning_curve(train, folds, features, task, metric, seed, _LEARNING_SHARE * time_limit)
        evaluation["learningCurve"] = curve.to_json() if curve else None
    evaluation = finite(evaluation)
    evaluation["warnings"] = caveats(evaluation, profile, train.y, decisive)
    workspace.save_json(HOLDOUT_EVALUATION if sealed else VALIDATION_EVALUATION, evaluation)
    emit_progress(1.0, _said(evaluation))
    return {key: value for key, value in evaluation.items() if key not in _FOR_THE_REPORT}


def _add_holdout(
    evaluation: dict[str, Any], profile: dict[str, Any], train: Table, decisive_oof: np.ndarray, prior_rule: LabelRule | None,
    seed: int, time_limit: float,
) -> None:  # fmt: skip
    holdout = workspace.load_holdout()
    if len(holdout) == 0:
        emit_log("WARNING", "no rows were sealed off as a holdout: only the validation score is known")
        return
    task, name, metric = profile["task"], profile["metric"], metric_of(profile)
    emit_progress(0.25, f"scoring {len(holdout):,} sealed rows")
    model = fitted_model(evaluation["trialId"])
    # The largest call there will be tells best what a row costs.
    timed = TimedModel(model)
    scores = timed.predict_scores(holdout.X)
    decisive = model.weighed(scores)
    workspace.save_array(HOLDOUT_SCORES, scores)
    evaluation["rows"] = len(holdout)
    if profile["classes"]:
        evaluation["rowsOfClass"] = np.bincount(holdout.y, minlength=len(profile["classes"])).tolist()
    evaluation["holdout"] = all_metrics(task, holdout.y, scores, decisive, metric)
    prior = baseline_scores(metric, task, train.y, len(holdout), scores.shape[-1])
    prior = weighed(prior, prior_rule.weights if prior_rule else None)
    evaluation["baseline"]["holdout"] = score(metric, holdout.y, prior)
    worse = 1 if is_lower_better(metric) else -1
    evaluation["gap"] = (evaluation["holdout"][name] - evaluation["validation"][name]) * worse
    if evaluation["coverage"] is not None:
        evaluation["coverage"]["holdout"] = share_below(holdout.y, scores)

    units = units_of(holdout, decisive)
    what = "them" if units is None else f"their {units.count:,} groups" if units.kind == "GROUPS" else "stretches of their time"
    emit_progress(0.35, f"drawing 1,000 bootstrap resamples of {what}")
    evaluation["intervalOf"] = units.to_json() if units else {"drawn": "ROWS", "units": len(holdout), "length": 1}
    spread = bootstrap.interval(metric, holdout.y, decisive, seed, units=units)
    if spread is not None:
        evaluation["interval"] = {"low": spread.low, "high": spread.high}
        evaluation["resamples"] = spread.resamples
        evaluation["validationInterval"] = _interval_of_validation(metric, train, decisive_oof, seed)
        if spread.resamples < 1000:
            emit_log("INFO", f"the interval is from {spread.resamples} resamples instead of 1,000: {len(holdout):,} rows are many")

    features = workspace.load_plan()["features"]
    names = [feature["name"] for feature in features]
    evaluation["twins"] = find_twins(train, holdout, names, metric, decisive, decisive_oof, workspace.load_folds()).to_json()
    if time_column := (profile.get("request") or {}).get("timeColumn"):
        drift = drift_between(train.X, holdout.X, names, time_column, seed)
        evaluation["drift"] = drift.to_json() if drift else None

    classes = profile["classes"]
    job = Job(
        task=task, metric=metric, classes=[str(entry["label"]) for entry in classes] if classes else None,
        features=features, seed=seed, label_weights=model.label_weights,
    )  # fmt: skip
    evaluation |= explain(timed, job, train, holdout, scores, time_limit)


def _coverage(metric: str, y: np.ndarray, oof: np.ndarray) -> dict[str, float | None] | None:
    """The share of values that PINBALL's answers are to lie above, and that they do; None for another metric."""
    quantile = quantile_of(metric)
    return None if quantile is None else {"wanted": quantile, "validation": share_below(y, oof), "holdout": None}


def _interval_of_validation(metric: str, train: Table, decisive: np.ndarray, seed: int) -> dict[str, float] | None:
    """How far chance alone may have moved the validation score; None where rows are so many that it hardly did."""
    if len(train) > _ROWS_WITHOUT_CHANCE:
        return None
    spread = bootstrap.interval(metric, train.y, decisive, seed, resamples=400, units=units_of(train, decisive))
    return None if spread is None else {"low": spread.low, "high": spread.high}


def _said(evaluation: dict[str, Any]) -> str:
    metric, interval = evaluation["metric"], evaluation["interval"]
    parts = [("validation", evaluation["validation"]), ("holdout", evaluation["holdout"])]
    words = ", ".join(f"{name} {metric} {of[metric]:.4g}" for name, of in parts if of is not None and of[metric] is not None)
    return words + (f" ({interval['low']:.4g} to {interval['high']:.4g})" if interval is not None else "")
