"""The `report` command: everything a finished job leaves, written to out/."""

from pathlib import Path
from typing import Any

from .. import plots, workspace
from ..agent_code.model import serve_through
from ..metrics import is_lower_better
from ..model import rule_facts
from ..pipeline_code import pipeline_code
from ..wire import emit_progress
from . import explained, models, page, tables, words
from .findings import Findings, gather

#: Holdout rows from which plots are drawn of the holdout; with fewer, of the many more rows the folds held out.
_ENOUGH_ROWS = 100

_FILES = (
    ("report.html", "REPORT", "text/html; charset=utf-8"),
    ("model.pkl", "MODEL", "application/octet-stream"),
    ("model-fast.pkl", "MODEL", "application/octet-stream"),
    ("leaderboard.csv", "METRICS", "text/csv; charset=utf-8"),
    ("metrics.json", "METRICS", "application/json"),
    ("predictions.csv", "PREDICTIONS", "text/csv; charset=utf-8"),
    ("pipeline.py", "CODE", "text/x-python; charset=utf-8"),
    ("training.log", "LOG", "text/plain; charset=utf-8"),
)


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `report` request: see PROTOCOL.md."""
    serve_through(request)
    emit_progress(0.0, "gathering what the job found")
    findings = gather(request)
    out = workspace.OUT
    saved = models.save_models(findings, out)
    emit_progress(0.2, "writing predictions and metrics")
    tables.write_leaderboard(out / "leaderboard.csv", findings.trials)
    tables.write_predictions(out / "predictions.csv", findings)
    tables.write_metrics(out / "metrics.json", _metrics(findings, saved))
    tables.write_log(out / "training.log", findings.log)
    _write_text(out / "pipeline.py", pipeline_code(findings.trial_id, str(findings.job["name"])))

    emit_progress(0.3, "drawing plots")
    drawn = _draw(findings)
    for plot in drawn:
        _write_text(out / "plots" / f"{plot.name}.svg", plot.standalone())
    emit_progress(0.9, "writing the report")
    summary = words.summary(findings.profile, findings.evaluation, findings.best["name"], len(findings.plan["features"]))
    _write_text(out / "report.html", page.render(findings, summary, drawn, saved))
    files = [
        {"path": f"out/{name}", "name": name, "kind": kind, "contentType": kind_of}
        for name, kind, kind_of in _FILES
        if name != "model-fast.pkl" or saved
    ]
    files += [
        {"path": f"out/plots/{plot.name}.svg", "name": f"{plot.name}.svg", "kind": "PLOT", "contentType": "image/svg+xml"}
        for plot in drawn
    ]
    emit_progress(1.0, f"{len(files)} files written")
    return {"files": files, "summary": summary}


def _draw(findings: Findings) -> page.Plots:
    y, scores, weighed, rows = findings.train.y, findings.oof, findings.weighed_oof, "validation rows"
    if findings.holdout is not None and findings.holdout_scores is not None and len(findings.holdout) >= _ENOUGH_ROWS:
        y, scores, weighed, rows = findings.holdout.y, findings.holdout_scores, findings.weighed_holdout, "sealed rows"
    metric = words.METRIC_NAMES[findings.metric]
    importances, dependence = findings.evaluation["importances"], findings.evaluation["partialDependence"]
    return page.Plots(
        quality=plots.quality_plots(findings.classes, findings.target, y, scores, weighed, rows, findings.profile["quantile"]),
        importance=plots.feature_importance(importances, metric, "sealed rows") if importances else None,
        dependence=plots.partial_dependence(dependence, findings.target, explained.answer_words(findings)) if dependence else None,
        history=plots.score_over_time(findings.history, metric, is_lower_better(findings.metric)),
    )


def _metrics(findings: Findings, saved: list[models.ModelFile]) -> dict[str, Any]:
    evaluation, best = findings.evaluation, findings.best
    interval = evaluation["interval"]
    return {
        "task": findings.task,
        "metric": findings.metric,
        "lowerIsBetter": is_lower_better(findings.metric),
        "target": findings.target,
        "classes": findings.classes,
        "labelRule": rule_facts(findings.model),
        "trial": {key: best[key] for key in ("id", "name", "family", "score", "foldScores")},
        "validation": evaluation["validation"],
        "holdout": evaluation["holdout"],
        "interval": {**interval, "level": 0.95, "resamples": evaluation["resamples"], **(evaluation.get("intervalOf") or {})} if interval else None,
        "baseline": evaluation["baseline"],
        "gap": evaluation["gap"],
        "coverage": evaluation["coverage"],
        "rows": {"train": len(findings.train), "holdout": len(findings.holdout) if findings.holdout is not None else 0},
        "importances": evaluation["importances"],
        "partialDependence": evaluation["partialDependence"],
        "learningCurve": evaluation["learningCurve"],
        "worstSlices": evaluation["worstSlices"],
        "twins": evaluation["twins"],
        "drift": evaluation["drift"],
        "warnings": evaluation["warnings"],
        "models": [model.to_json() for model in saved],
        "timings": [
            {key: trial[key] for key in ("id", "name", "fitSeconds", "predictMicrosPerRow")} for trial in findings.trials
        ],
        "seconds": findings.seconds,
    }


def _write_text(path: Path, text: str) -> None:
    with workspace.atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")
