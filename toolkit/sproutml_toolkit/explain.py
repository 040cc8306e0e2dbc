"""Why the model answers as it does, for people: what `evaluate` adds about the chosen model once its sealed rows are scored.

Each part has its share of the time, so that a slow model gets coarser explanations and not a late report; what was cut is logged.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from .contributions import contributions
from .dependence import partial_dependence
from .examples import choose_examples
from .importance import Importances, permutation_importance
from .label_rule import weighed
from .metrics import labels
from .sampling import target_order
from .speed import TimedModel
from .wire import emit_log, emit_progress
from .workspace import Table

#: Of the time limit, which importances may take whole.
_DEPENDENCE_SHARE, _CONTRIBUTIONS_SHARE = 0.10, 0.08
_MOST_SHOWN = 4
_MOST_CLASSES = 6


@dataclass(frozen=True)
class Job:
    """What the explanations know of the job. classes: labels in order, or None; features: the plan's entries; label_weights: the
    model's rule for labels (see label_rule), or None."""

    task: str
    metric: str
    classes: list[str] | None
    features: list[dict[str, Any]]
    seed: int
    label_weights: list[float] | None


def explain(timed: TimedModel, job: Job, train: Table, holdout: Table, scores: np.ndarray, time_limit: float) -> dict[str, Any]:
    """The keys `importances`, `partialDependence` and `examples` of an evaluation, and `cut`: what was left out or looked at
    more coarsely for time, in words.

    `scores` are the timed model's for the sealed rows, already known. Deterministic for the job's seed as long as the time suffices.
    """
    timed.warm_up(holdout.X)
    emit_progress(0.5, "shuffling one column at a time to see what the model relies on")
    names = [feature["name"] for feature in job.features]
    found = permutation_importance(
        timed, holdout.X, holdout.y, scores, job.metric, job.label_weights, names, timed.speed(), job.seed, time_limit,
        holdout.groups,
    )  # fmt: skip
    cut = _cut_importances(found, len(holdout))
    importances = [asdict(entry) for entry in found.entries if np.isfinite([entry.mean, entry.low, entry.high]).all()]
    main = _main_features(importances, job.features)

    order = target_order(train.y, job.seed)
    emit_progress(0.75, "following how its answers change with the main columns")
    followed = _followed_classes(job, train.y)
    dependence = partial_dependence(timed, train.X, order, main, followed, timed.speed(), _DEPENDENCE_SHARE * time_limit)
    if dependence.unmeasured:
        cut.append(f"how answers change with {_some(dependence.unmeasured)} was not followed: the model answers too slowly")
    emit_progress(0.85, "looking at single sealed rows")
    shown = _examples(timed, job, train.X, order, holdout, scores, main, _CONTRIBUTIONS_SHARE * time_limit)
    if shown["walks"] == 0 and len(job.features) > 1:
        why = "the model is too slow, or the table too wide or too short"
        cut.append(f"what moved the answers to single rows was not worked out: {why}")
    for words in cut:
        emit_log("INFO", words)
    return {
        "importances": importances,
        "partialDependence": dependence.to_json() if dependence.features else None,
        "examples": shown,
        "cut": cut,
    }


def _main_features(importances: list[dict[str, Any]], features: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The plan's entries of the columns without which the score gets worse, the most important first."""
    by_name = {feature["name"]: feature for feature in features}
    return [by_name[entry["feature"]] for entry in importances if entry["mean"] > 0]


def _followed_classes(job: Job, y: np.ndarray) -> list[tuple[int, str]] | None:
    """Of two classes the positive one tells all; of many, the commonest."""
    if job.classes is None:
        return None
    if job.task == "BINARY":
        return [(1, job.classes[1])]
    commonest = np.argsort(-np.bincount(y, minlength=len(job.classes)), kind="stable")[:_MOST_CLASSES]
    return [(int(code), job.classes[code]) for code in np.sort(commonest)]


def _examples(
    timed: TimedModel, job: Job, X: pd.DataFrame, order: np.ndarray, holdout: Table, scores: np.ndarray,
    main: list[dict[str, Any]], seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """{columns, others, walks, rows: [{row, kind, cells, actual, answer, probability, base, moved, error}]}.

    columns: the main ones, whose values are each row's `cells`; others: how many more the model uses. `moved` and `error`
    (standard errors) are as in contributions, one per column and last one for all others, in units of `probability` or of the
    target; null, and walks 0, when they could not be had.
    """
    decisive = weighed(scores, job.label_weights)
    chosen = choose_examples(holdout.y, decisive)
    positions = np.array([example.position for example in chosen])
    names = [feature["name"] for feature in (main or job.features)[:_MOST_SHOWN]]
    rest = [name for name in holdout.X.columns if name not in names]
    groups = [[name] for name in names] + ([rest] if rest else [])
    outputs = None if job.classes is None else labels(decisive[positions])
    answers = scores[positions] if outputs is None else scores[positions, outputs]
    explained = holdout.X.iloc[positions]
    found = contributions(timed, explained, answers, outputs, X, order, groups, timed.speed(), job.seed, seconds)
    kinds = {feature["name"]: feature["kind"] for feature in job.features}
    rows = []
    for place, example in enumerate(chosen):
        actual, code = holdout.y[example.position], None if outputs is None else int(outputs[place])
        row = {
            "row": int(holdout.row_ids[example.position]),
            "kind": example.kind,
            "cells": [_plain(holdout.X[name].iloc[example.position], kinds[name]) for name in names],
            "actual": float(actual) if job.classes is None else job.classes[actual],
            "answer": float(answers[place]) if job.classes is None else job.classes[code],
            "probability": None if job.classes is None else float(answers[place]),
            "base": float(found.base[place]) if found else None,
            "moved": found.moved[place].tolist() if found else None,
            "error": found.error[place].tolist() if found else None,
        }
        rows.append(row)
    return {"columns": names, "others": len(job.features) - len(names), "walks": found.walks if found else 0, "rows": rows}


def _plain(value: Any, kind: str) -> Any:
    """A cell as JSON holds it: a number, text (a date's, yes or no for a flag, its own) or null."""
    if pd.isna(value):
        return None
    if kind == "flag":
        return "yes" if value else "no"
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    return float(value) if isinstance(value, float) else str(value)


def _cut_importances(found: Importances, rows: int) -> list[str]:
    said = [f"importances are from {found.rows:,} of the {rows:,} sealed rows"] if found.rows < rows else []
    if found.unmeasured:
        columns = f"{len(found.unmeasured)} columns: {_some(found.unmeasured)}"
        said.append(f"the time did not suffice to measure the importance of {columns}")
    return said


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
