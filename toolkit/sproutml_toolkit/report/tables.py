"""The report's plain files: leaderboard.csv, predictions.csv, metrics.json and training.log."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..metrics import labels
from ..wire import finite
from ..workspace import atomic_write, save_json
from .findings import Findings

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def spreadsheet_safe(cell: object) -> object:
    """A cell that no spreadsheet runs as a formula: text that would be one gets a leading apostrophe. Numbers stay numbers."""
    if not isinstance(cell, str) or not cell.startswith(_FORMULA_STARTS):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def write_leaderboard(path: Path, trials: list[dict[str, Any]]) -> None:
    """One line per trial, best first as given, with its score per fold and its parameters as JSON.

    Nothing a clock told is in it, so that two jobs that went the same way leave the same bytes: those stand in metrics.json.
    """
    folds = max((len(trial["foldScores"]) for trial in trials), default=0)
    header = ["rank", "name", "family", "agent", "score", "is_best", "is_baseline"]
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow([*header, *(f"fold_{fold}" for fold in range(folds)), "parameters", "trial_id"])
        for rank, trial in enumerate(trials, start=1):
            scores = [*trial["foldScores"], *[None] * (folds - len(trial["foldScores"]))]
            parameters = json.dumps(finite(trial["parameters"]), sort_keys=True)
            facts = [trial["name"], trial["family"], trial["agent"], trial["score"], trial["isBest"], trial["isBaseline"]]
            lines.writerow([rank, *map(spreadsheet_safe, facts), *scores, parameters, trial["id"]])


def write_predictions(path: Path, findings: Findings) -> None:
    """One line per row of the upload that has a target, in file order, each predicted by a model that never trained on it.

    Columns: `row` (0 for the first row below the header), `split` (validation or holdout), `fold` (empty for holdout), `actual`,
    `prediction` (validation rows' by the rule for labels that the other folds ask for), and for classification
    `probability_<class>`.
    """
    train, holdout, classes = findings.train, findings.holdout, findings.classes
    rows, actual, scores, weighed = train.row_ids, train.y, findings.oof, findings.weighed_oof
    split, fold = np.full(len(train), "validation", dtype=object), findings.folds.astype(object)
    if holdout is not None and findings.holdout_scores is not None and findings.weighed_holdout is not None:
        rows, actual = np.concatenate([rows, holdout.row_ids]), np.concatenate([actual, holdout.y])
        scores = np.concatenate([scores, findings.holdout_scores])
        weighed = np.concatenate([weighed, findings.weighed_holdout])
        split = np.concatenate([split, np.full(len(holdout), "holdout", dtype=object)])
        fold = np.concatenate([fold, np.full(len(holdout), None, dtype=object)])
    order = np.argsort(rows, kind="stable")
    order = order[np.isfinite(scores.reshape(len(rows), -1)).all(axis=1)[order]]

    header = ["row", "split", "fold", "actual", "prediction"]
    columns: list[list[Any]] = [rows[order].tolist(), split[order].tolist(), fold[order].tolist()]
    if classes is None:
        columns += [actual[order].tolist(), scores[order].tolist()]
    else:
        names = [spreadsheet_safe(name) for name in classes]
        columns += [[names[code] for code in actual[order]], [names[code] for code in labels(weighed[order])]]
        header += [f"probability_{name}" for name in classes]
        columns += np.round(scores[order], 6).T.tolist()
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(header)
        lines.writerows(zip(*columns, strict=True))


def write_metrics(path: Path, facts: dict[str, Any]) -> None:
    """metrics.json. Keys, stable within `version` 1:

    version, task, metric, lowerIsBetter, target, classes; labelRule (see model.rule_facts) or null; trial {id, name, family, score, foldScores}; validation {METRIC: value};
    holdout {METRIC: value} or null; interval {low, high, level, resamples, drawn, units, length} or null, of `metric` on the holdout
    (the last three say what its resamples drew: see resampling.Units, and ROWS for single rows); baseline
    {validation, holdout}; gap; coverage {wanted, validation, holdout} of PINBALL, else null; rows {train, holdout}; importances,
    worstSlices, warnings as `evaluate` gives them;
    partialDependence (see dependence.Dependence), learningCurve (see learning_curve.LearningCurve), twins (see twins.Twins) and drift
    (see file_order.Drift; of the sealed rows beside earlier ones), each or null; models [{file, trial, holdout, bytes, microsPerRow}] (see
    models.ModelFile; empty when there is one file alone); timings [{id, name, fitSeconds, predictMicrosPerRow}] of the leaderboard's
    trials, best first; seconds (of the whole job).
    """
    save_json(path, {"version": 1, **facts})


def write_log(path: Path, lines: list[str]) -> None:
    """training.log: the job's log, a line each."""
    with atomic_write(path) as temporary:
        text = "".join(line.replace("\r", " ").replace("\n", "\n    ") + "\n" for line in lines)
        temporary.write_text(text, encoding="utf-8", errors="replace")
