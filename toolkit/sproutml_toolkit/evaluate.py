"""The `evaluate` command: how good a trial is, how sure that is, and where it is weak.

On rows the folds held out, and, when asked, once on the sealed rows that nothing in the job ever saw.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from . import bootstrap, workspace
from .baseline import baseline_scores
from .caveats import caveats
from .importance import Importances, permutation_importance
from .metrics import METRICS_OF_TASK, all_metrics, is_lower_better, score
from .slices import worst_slices
from .wire import emit_log, emit_progress
from .workspace import Table, Trial

VALIDATION_EVALUATION = Path("work/evaluation.json")
HOLDOUT_EVALUATION = Path("sealed/evaluation.json")
HOLDOUT_SCORES = Path("sealed/holdout-scores.npy")

_IMPORTANCE_SECONDS = 5.0


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve `evaluate`: {trialId, holdout, seed, timeLimitSeconds?} to the result of PROTOCOL.md.

    `timeLimitSeconds` bounds the permutation importances, the only part that can be slow. `gap` is how much worse the holdout
    score is than the validation score, in the metric's units: negative when the holdout is better.
    """
    trial_id, sealed, seed = request["trialId"], bool(request["holdout"]), int(request["seed"])
    profile = workspace.load_profile()
    task, metric = profile["task"], profile["metric"]
    trial, train, folds = workspace.load_trial(trial_id), workspace.load_train(), workspace.load_folds()

    emit_progress(0.05, "scoring the rows the folds held out")
    scored = np.isfinite(trial.oof.reshape(len(train), -1)).all(axis=1)
    validation = validation_metrics(task, train.y[scored], trial.oof[scored], folds[scored])
    validation[metric] = trial.result["score"]
    slices = worst_slices(metric, train.X[scored], train.y[scored], trial.oof[scored], seed)
    evaluation: dict[str, Any] = {
        "trialId": trial_id,
        "metric": metric,
        "validation": validation,
        "baseline": {"validation": _baseline_on_folds(task, metric, train.y, folds), "holdout": None},
        "holdout": None,
        "interval": None,
        "gap": None,
        "warnings": [],
        "worstSlices": [asdict(entry) for entry in slices],
        "importances": None,
    }
    if sealed:
        _add_holdout(evaluation, task, train, trial, seed, request.get("timeLimitSeconds") or _IMPORTANCE_SECONDS)
    evaluation["warnings"] = caveats(evaluation, profile, train.y, trial.oof)
    workspace.save_json(HOLDOUT_EVALUATION if sealed else VALIDATION_EVALUATION, evaluation)
    emit_progress(1.0, _said(evaluation))
    return {key: value for key, value in evaluation.items() if key not in ("rows", "resamples")}


def validation_metrics(task: str, y: np.ndarray, oof: np.ndarray, folds: np.ndarray) -> dict[str, float | None]:
    """Every metric of the task as the mean over folds, as trials are scored; a fold where one is undefined is left out."""
    per_fold = [all_metrics(task, y[folds == fold], oof[folds == fold]) for fold in np.unique(folds)]
    means: dict[str, float | None] = {}
    for metric in METRICS_OF_TASK[task]:
        values = [value[metric] for value in per_fold if np.isfinite(value[metric])]
        means[metric] = float(np.mean(values)) if values else None
    return means


def _baseline_on_folds(task: str, metric: str, y: np.ndarray, folds: np.ndarray) -> float | None:
    values = [
        score(metric, y[folds == fold], baseline_scores(task, y[folds != fold], int((folds == fold).sum()), int(y.max()) + 1))
        for fold in np.unique(folds)
    ]
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _add_holdout(evaluation: dict[str, Any], task: str, train: Table, trial: Trial, seed: int, time_limit: float) -> None:
    holdout = workspace.load_holdout()
    if len(holdout) == 0:
        emit_log("WARNING", "no rows were sealed off as a holdout: only the validation score is known")
        return
    metric = evaluation["metric"]
    emit_progress(0.25, f"scoring {len(holdout):,} sealed rows")
    scores = trial.model.predict_scores(holdout.X)
    workspace.save_array(HOLDOUT_SCORES, scores)
    evaluation["rows"] = len(holdout)
    evaluation["holdout"] = all_metrics(task, holdout.y, scores)
    classes = scores.shape[1] if scores.ndim == 2 else 0
    evaluation["baseline"]["holdout"] = score(metric, holdout.y, baseline_scores(task, train.y, len(holdout), classes))
    worse = 1 if is_lower_better(metric) else -1
    evaluation["gap"] = (evaluation["holdout"][metric] - evaluation["validation"][metric]) * worse

    emit_progress(0.35, "drawing 1,000 bootstrap resamples of them")
    spread = bootstrap.interval(metric, holdout.y, scores, seed)
    if spread is not None:
        evaluation["interval"] = {"low": spread.low, "high": spread.high}
        evaluation["resamples"] = spread.resamples
        if spread.resamples < 1000:
            emit_log("INFO", f"the interval is from {spread.resamples} resamples instead of 1,000: {len(holdout):,} rows are many")

    emit_progress(0.5, "shuffling one column at a time to see what the model relies on")
    used = {feature["name"] for feature in workspace.load_plan()["features"]}
    features = [name for name in holdout.X.columns if name in used]
    found = permutation_importance(trial.model, holdout.X, holdout.y, metric, features, seed, time_limit)
    evaluation["importances"] = [asdict(entry) for entry in found.entries]
    _say_what_was_cut(found, len(holdout))


def _say_what_was_cut(found: Importances, rows: int) -> None:
    if found.rows < rows:
        emit_log("INFO", f"importances are from {found.rows:,} of the {rows:,} sealed rows")
    if found.unmeasured:
        some = ", ".join(found.unmeasured[:5]) + (" …" if len(found.unmeasured) > 5 else "")
        emit_log("WARNING", f"the time did not suffice to measure the importance of {len(found.unmeasured)} columns: {some}")


def _said(evaluation: dict[str, Any]) -> str:
    metric, interval = evaluation["metric"], evaluation["interval"]
    words = f"validation {metric} {evaluation['validation'][metric]:.4g}"
    if evaluation["holdout"] is not None:
        words += f", holdout {evaluation['holdout'][metric]:.4g}"
    if interval is not None:
        words += f" ({interval['low']:.4g} to {interval['high']:.4g})"
    return words
