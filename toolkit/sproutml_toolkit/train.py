"""`train`: cross-validate one configuration on the job's folds and keep the fold models, bagged, as the trial's model."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from . import texts, workspace
from .agent_code.model import CodedFold, PipelineFold
from .agent_code.source import PIPELINE
from .agent_code.trial import CodedTrial, read_trial, refuse_memorised
from .adjustment import Adjustment, find_adjustment
from .calibration import SharpenedModel, find_sharpening
from .families import baseline, family
from .families.boosting import GUARD_SLACK, Pace
from .families.fold import Fold, FoldModel
from .fitting import fit_part
from .label_rule import find_rule, weighed_oof
from .metrics import metric_of, score
from .sampling import fewer_rows
from .stacking import AnswerColumns, StackedModel, features_of
from .wire import ToolkitError, emit_log, emit_progress

# Below this many rows a fit is too small for several threads: run folds side by side instead.
_SIDE_BY_SIDE_ROWS = 20_000
# The part of a fold's time that goes into fitting; the rest is for its predictions. The first folds get less, for the others
# are to keep up with them (see boosting.Pace) on a machine that may get busier.
_FITTING_SHARE, _FIRST_FITTING_SHARE = 0.9, 0.8


@dataclass
class BaggedModel:
    """The fold models of a trial; predicts their mean, values adjusted."""

    members: list[FoldModel | CodedFold | PipelineFold]
    adjustment: Adjustment = Adjustment()

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values."""
        # Each member answers on the one thread it was fitted with; the libraries let go of Python's lock meanwhile.
        with ThreadPoolExecutor(min(len(self.members), _cores())) as pool:
            first, *others = pool.map(lambda member: member.predict_scores(X), self.members)
        for scores in others:
            first = first + scores
        return self.adjustment.apply(first / len(self.members)) if first.ndim == 1 else first / len(self.members)


def _cores() -> int:
    """Those that this process may run on, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class _FoldOutcome:
    number: int
    rows: np.ndarray
    model: FoldModel | CodedFold | PipelineFold
    scores: np.ndarray
    parameters: dict[str, Any]
    notes: list[str]
    fit_seconds: float
    predict_seconds: float
    learnt_rows: int


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `train` request: see PROTOCOL.md."""
    trial_id = request["trialId"]
    workspace.trial_folder(trial_id)
    coded = read_trial(request["code"]) if request.get("code") else None
    is_pipeline = coded is not None and coded.code.form == PIPELINE
    module = None if is_pipeline else family(request["family"])
    parameters = {} if is_pipeline else parameters_of(request["family"], request.get("params") or {})
    threads = max(int(request.get("threads") or 1), 1)
    limit = request.get("timeLimitSeconds")
    profile, plan = workspace.load_profile(), workspace.load_plan()
    train, folds = workspace.load_train(), workspace.load_folds()
    texts.recall(train.X)
    classes = profile["classes"]
    features = plan["features"] if coded is None else coded.features(plan["features"])
    stack = _first_layer(request.get("stackOn") or [], coded)
    columns = AnswerColumns.of(train.y, bool(classes))
    if stack:
        beside = columns.beside(train.X, [workspace.load_oof(trial_id) for trial_id in stack])
        train, features = replace(train, X=beside), features + features_of(beside.columns[train.X.shape[1] :])

    base = Fold(
        X_train=train.X, y_train=train.y, X_valid=train.X, y_valid=train.y,
        task=profile["task"], metric=metric_of(profile), n_classes=len(classes) if classes else 0,
        features=features, seed=int(request.get("seed") or 0), threads=threads, most_rows=request.get("mostRows"),
        pace=Pace(GUARD_SLACK if request.get("timeIsGuard") else 1.0),
    )  # fmt: skip
    started = time.monotonic()
    if is_pipeline:
        outcomes = _of_pipeline(coded, len(train))
    else:
        outcomes = _cross_validate(module, parameters, train, folds, base, limit, bool(request.get("timeIsGuard")), coded)
    fit_seconds = time.monotonic() - started
    if coded is not None:
        fit_seconds += sum(part.fit_seconds for part in coded.parts.values())

    oof = np.empty((len(train), len(classes)) if classes else len(train))
    for outcome in outcomes:
        oof[outcome.rows] = outcome.scores
    if not np.isfinite(oof).all():
        raise ToolkitError(
            "TRIAL_FAILED", f"{request['family']} gave scores that are not finite", "Try other parameters or another family."
        )
    metric = metric_of(profile)
    model: BaggedModel | SharpenedModel | StackedModel = BaggedModel([outcome.model for outcome in outcomes])
    notes = {note for outcome in outcomes for note in outcome.notes}
    if coded is not None and coded.code.made:
        notes.add(f"columns made by agent-written code: {', '.join(coded.code.made)}")
    if coded is not None and coded.dropped:
        notes.add(f"columns left out: {', '.join(coded.dropped)}")
    if module is not baseline and not classes:
        adjustment, oof = find_adjustment(metric, train.y, oof, folds)
        if adjustment != Adjustment():
            model = BaggedModel(model.members, adjustment)
            notes.add(f"its answers are adjusted: times {adjustment.factor:.4g}, plus {adjustment.shift:.4g}")
    elif module is not baseline:
        sharpening = find_sharpening(metric, train.y, oof, folds)
        if sharpening.temperature < 1.0:
            oof, model = sharpening.oof, SharpenedModel(model, sharpening.temperature)
            notes.add(f"its probabilities are sharpened: temperature {sharpening.temperature:.3f}")
    if stack:
        model = StackedModel(list(stack), columns, model)
        notes.add(f"it learns from what {len(stack)} other models answer, too")
    rule = find_rule(metric, train.y, oof, folds)
    if rule is not None:
        notes.add(rule.note([str(entry["label"]) for entry in classes]))
    decisive = weighed_oof(rule, oof, folds)
    fold_scores = [score(metric, train.y[outcome.rows], decisive[outcome.rows]) for outcome in outcomes]
    if coded is not None and request["code"].get("looked") and not (profile.get("request") or {}).get("timeColumn"):
        refuse_memorised(metric, fold_scores)
    result = {
        "trialId": trial_id,
        "family": request["family"],
        "score": score(metric, train.y, decisive),
        "foldScores": fold_scores,
        "fitSeconds": round(fit_seconds, 3),
        "foldSeconds": round(float(np.mean([outcome.fit_seconds for outcome in outcomes])), 3),
        "boundByTime": base.pace.bound,
        "foldRows": round(float(np.mean([outcome.learnt_rows for outcome in outcomes]))),
        "sampled": any(outcome.learnt_rows < len(train) - len(outcome.rows) for outcome in outcomes),
        "predictMicrosPerRow": round(sum(o.predict_seconds / len(o.rows) for o in outcomes) * 1e6 + sum(stack.values()), 2),
        "parameters": _effective(outcomes) | ({"stackOn": list(stack)} if stack else {}),
        "notes": sorted(notes),
        "rule": rule.to_json() if rule else None,
    }
    workspace.save_trial(trial_id, workspace.Trial(result | {"request": request}, oof, model))
    return result | {"modelBytes": sum(workspace.model_bytes(part) for part in workspace.parts_of([trial_id]))}


def _first_layer(trial_ids: list[str], coded: CodedTrial | None) -> dict[str, float]:
    """The trials to learn from, by id, with the microseconds that each takes to answer a row."""
    results = {trial_id: workspace.load_result(trial_id) for trial_id in dict.fromkeys(trial_ids)}
    for trial_id, result in results.items():
        if result["family"] == "ENSEMBLE" or workspace.bases_of(result) or result["request"].get("code") or coded is not None:
            raise ToolkitError(
                "REQUEST_INVALID", f"a second layer can't be built on {trial_id} this way",
                "Build on trials of the first layer, without agent-written code on either side.",
            )  # fmt: skip
    return {trial_id: result["predictMicrosPerRow"] for trial_id, result in results.items()}


def parameters_of(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The family's defaults with the given values over them; what the family doesn't know is left out, and said."""
    module = family(name)
    unknown = sorted(set(given) - set(module.DEFAULTS))
    if unknown:
        emit_log(
            "WARNING",
            f"{name} has no parameter {', '.join(unknown)}: left out. It takes {', '.join(module.DEFAULTS) or 'none'}.",
        )
    return module.DEFAULTS | {key: value for key, value in given.items() if key in module.DEFAULTS}


def threads_of_a_fit(rows: int, threads: int) -> int:
    """Of few rows threads wait for each other: a LightGBM of 14,000 took 16 s with one and 25 s with two."""
    return threads if rows > _SIDE_BY_SIDE_ROWS else 1


def _cross_validate(
    module: Any,
    parameters: dict[str, Any],
    train: workspace.Table,
    folds: np.ndarray,
    base: Fold,
    limit: float | None,
    repeatable: bool,
    coded: CodedTrial | None,
) -> list[_FoldOutcome]:
    numbers = [int(number) for number in np.unique(folds)]
    workers = min(base.threads, len(numbers)) if repeatable or len(train) <= _SIDE_BY_SIDE_ROWS else 1
    # CatBoost adds in another order with other threads, whatever its manual says (1.2.10, 26,000 rows).
    inner = 1 if repeatable else max(base.threads // workers, 1)
    started = time.monotonic()
    outcomes: dict[int, _FoldOutcome] = {}

    def fit(number: int, waiting: int) -> _FoldOutcome:
        deadline, most_rows = None, base.most_rows
        if limit is not None:
            # What is left is shared by the rounds of folds still to come.
            turns = -(-waiting // workers)
            left = limit - (time.monotonic() - started)
            share = _FIRST_FITTING_SHARE if waiting + workers > len(numbers) else _FITTING_SHARE
            deadline = time.monotonic() + share * max(left, 0.0) / turns
            if most_rows is not None and outcomes and not repeatable:
                last = max(outcome.fit_seconds + outcome.predict_seconds for outcome in list(outcomes.values()))
                most_rows = fewer_rows(most_rows, len(train) * (len(numbers) - 1) // len(numbers), last, left / turns)
        fold = replace(base, threads=inner, deadline=deadline, most_rows=most_rows)
        return _fit_fold(module, parameters, train, folds == number, fold, number, coded)

    # BLAS adds in another order with other threads, and then the same trial scores differently on another number of cores.
    with threadpool_limits({"openmp": inner, "blas": 1}), ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(fit, number, len(numbers) - place): number for place, number in enumerate(numbers)}
        try:
            for done in as_completed(running):
                outcome = done.result()
                outcomes[outcome.number] = outcome
                value = score(base.metric, train.y[outcome.rows], outcome.scores)
                emit_progress(len(outcomes) / len(numbers), f"fold {len(outcomes)} of {len(numbers)}: {value:.6g}")
                _check_pace(module, limit, time.monotonic() - started, len(outcomes), len(numbers), workers)
        except BaseException:
            for future in running:
                future.cancel()
            raise
    return [outcomes[number] for number in numbers]


def _check_pace(module: Any, limit: float | None, elapsed: float, done: int, folds: int, workers: int) -> None:
    if limit is None or module.STOPS_EARLY or done >= folds:
        return
    turns_done = -(-done // workers)
    expected = elapsed / turns_done * -(-folds // workers)
    if expected > limit:
        raise ToolkitError(
            "TRIAL_TOO_SLOW",
            f"after {done} of {folds} folds it would take about {expected:.0f} s, and {limit:.0f} s are allowed",
            "Give the trial more time, choose a quicker family, or use fewer folds.",
        )


def _of_pipeline(coded: CodedTrial, rows: int) -> list[_FoldOutcome]:
    """What the code's own models answered for the rows their folds held out, of so many training rows."""
    return [
        _FoldOutcome(
            number, part.rows, PipelineFold(coded.code, number), part.made, {}, [], part.fit_seconds, part.answer_seconds,
            rows - len(part.rows),
        )  # fmt: skip
        for number, part in sorted(coded.parts.items())
    ]


def _fit_fold(
    module: Any, parameters: dict[str, Any], train: workspace.Table, held: np.ndarray, base: Fold, number: int,
    coded: CodedTrial | None,
) -> _FoldOutcome:  # fmt: skip
    if coded is not None and coded.code.made:
        train = coded.table(train, number)
    rows = np.flatnonzero(held)
    X_valid = train.X.iloc[rows]
    started = time.monotonic()
    fitted = fit_part(module, parameters, train, held, base, f"fold {number + 1}")
    ended = time.monotonic()
    scores = fitted.model.predict_scores(X_valid)
    finished = time.monotonic()
    model = CodedFold(coded.code, number, fitted.model) if coded is not None and coded.code.made else fitted.model
    return _FoldOutcome(
        number, rows, model, scores, fitted.parameters, fitted.notes, ended - started, finished - ended, fitted.rows
    )


def _effective(outcomes: list[_FoldOutcome]) -> dict[str, Any]:
    """The parameters the folds ended with: one value where all agree, else the median (numbers) or the list."""
    merged: dict[str, Any] = {}
    for key in outcomes[0].parameters:
        values = [outcome.parameters.get(key) for outcome in outcomes]
        if all(value == values[0] for value in values):
            merged[key] = values[0]
        elif all(isinstance(value, (int, float)) for value in values):
            median = float(np.median(values))
            merged[key] = int(median) if all(isinstance(value, int) for value in values) else median
        else:
            merged[key] = values
    return merged
