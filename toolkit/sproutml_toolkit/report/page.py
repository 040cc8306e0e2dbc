"""report.html: everything worth knowing about a finished job on one page that loads nothing and runs nothing.

What comes from the upload, the user or a model is escaped by the template; only our own stylesheet and plots go in as they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..metrics import METRICS_OF_TASK, is_lower_better
from ..model import rule_facts
from ..plots import Plot, dark_rules
from . import checks, explained, ideas, models, split_words, words
from .findings import Findings

_FOLDER = Path(__file__).parent
_MOST_TRIALS = 40
_MOST_COLUMNS = 200
_MOST_REQUIRED = 60

_FAMILIES = {
    "BASELINE": "Baseline", "LIGHTGBM": "LightGBM", "CATBOOST": "CatBoost", "LINEAR": "Linear", "RANDOM_FOREST": "Random forest",
    "EXTRA_TREES": "Extra trees", "KNN": "Nearest neighbours", "MLP": "Neural network", "KERNEL": "Kernel machine",
    "CODE": "Agent's own code", "ENSEMBLE": "Ensemble",
}  # fmt: skip
_AGENTS = {
    "ORCHESTRATOR": "Orchestrator", "PREPROCESSING": "Preprocessing", "MASTER_TRAINER": "Master trainer",
    "SUB_TRAINER": "Sub-trainer", "EVALUATOR": "Evaluator", "TUNER": "Tuner",
}  # fmt: skip
_TASKS = {"BINARY": "one of two classes", "MULTICLASS": "one of several classes", "REGRESSION": "a number"}


@dataclass(frozen=True)
class Plots:
    """The pictures by where they stand on the page."""

    quality: list[Plot]
    importance: Plot | None
    dependence: Plot | None
    history: Plot | None

    def __iter__(self) -> Iterator[Plot]:
        yield from (plot for plot in (*self.quality, self.importance, self.dependence, self.history) if plot is not None)


def render(findings: Findings, summary: str, plots: Plots, saved: list[models.ModelFile]) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    evaluation, metric = findings.evaluation, findings.metric
    value, _ = words.headline_score(evaluation)
    floor = words.baseline_score(evaluation)
    interval = evaluation["interval"]
    css = (_FOLDER / "page.css").read_text(encoding="utf-8")
    trials = findings.trials
    return environment.get_template("page.html.j2").render(
        css=css + f"@media screen and (prefers-color-scheme:dark){{{dark_rules()}}}",
        job=findings.job,
        task_name=_TASKS[findings.task],
        created=_date(findings.job["createdAt"]),
        summary=summary,
        evaluation=evaluation,
        strip=_strip(findings),
        metric_name=words.METRIC_NAMES[metric],
        metric_meaning=words.METRIC_MEANINGS[metric],
        lower_is_better=is_lower_better(metric),
        score=words.score_text(metric, value),
        validation=words.score_text(metric, evaluation["validation"][metric]),
        baseline=words.score_text(metric, floor) if floor is not None else None,
        interval=interval and {end: words.score_text(metric, interval[end]) for end in ("low", "high")},
        verdict=words.verdict(evaluation, len(findings.train)),
        facts=_facts(findings),
        split_words=split_words.how_split(findings.split, findings.profile, evaluation),
        rule_words=words.rule_sentence(rule_facts(findings.model), metric, findings.classes),
        metrics=_metric_rows(findings),
        quality_plots=plots.quality,
        importance_plot=plots.importance,
        dependence_plot=plots.dependence,
        history_plot=plots.history,
        explained=explained.render(findings),
        trials_words=_trials_words(findings),
        leaderboard=_leaderboard(findings),
        leaderboard_left_out=max(0, len(trials) - _MOST_TRIALS),
        data_words=_data_words(findings),
        data_warnings=[
            {"title": _sentence(entry["code"]), "message": _with_columns(entry)}
            for entry in findings.profile["warnings"]
            if entry["code"] not in checks.SHOWN
        ],
        checks=checks.render(findings),
        columns=_columns(findings),
        columns_left_out=max(0, len(findings.profile["columns"]) - _MOST_COLUMNS),
        decisions=[
            {"agent": _AGENTS.get(agent, agent), "texts": [entry["text"] for entry in turn]}
            for agent, turn in groupby(findings.decisions, key=lambda entry: entry["agent"])
        ],
        mind_words=_mind_words(findings),
        ideas=ideas.render(findings),
        required=findings.model.required_columns[:_MOST_REQUIRED],
        required_left_out=max(0, len(findings.model.required_columns) - _MOST_REQUIRED),
        models=models.render(findings, saved),
        csv_argument=_shell_word(findings.job["datasetName"]),
        repeat=_repeat(findings),
    )


def _strip(findings: Findings) -> dict[str, Any]:
    """The score between baseline and perfect, as percentages of the strip's width; better is always to the right."""
    evaluation, metric = findings.evaluation, findings.metric
    value, _ = words.headline_score(evaluation)
    floor, interval = words.baseline_score(evaluation), evaluation["interval"]
    perfect = 0.0 if is_lower_better(metric) else 1.0
    ends = [end for end in (value, floor, evaluation["validation"][metric], perfect) if end is not None]
    if interval:
        ends += [interval["low"], interval["high"]]
    worst, best = (max(ends), min(ends)) if is_lower_better(metric) else (min(ends), max(ends))

    def place(score: float) -> float:
        return round(100 * (score - worst) / (best - worst), 2) if best != worst else 50.0

    ticks = [] if floor is None else [{"left": place(floor), "text": f"baseline {words.score_text(metric, floor)}"}]
    ticks.append({"left": place(perfect), "text": f"perfect {perfect:g}"})
    band = None
    if interval:
        left, right = sorted((place(interval["low"]), place(interval["high"])))
        band = {"left": left, "width": round(right - left, 2)}
    said = ", ".join(tick["text"] for tick in ticks)
    score = words.score_text(metric, value)
    dot = {"left": place(value) if value is not None else 0, "text": score}
    return {"ticks": ticks, "band": band, "dot": dot, "words": f"{words.METRIC_NAMES[metric]} {score}; {said}"}


def _facts(findings: Findings) -> list[dict[str, str]]:
    tried = sum(not trial["isBaseline"] for trial in findings.trials)
    sealed = len(findings.holdout) if findings.holdout is not None else 0
    return [
        {"value": f"{len(findings.train):,}", "name": f"rows to learn from, in {findings.folds.max() + 1} folds"},
        {"value": f"{sealed:,}", "name": "rows sealed off as holdout"},
        {"value": f"{len(findings.plan['features']):,}", "name": "columns used"},
        {"value": f"{tried:,}", "name": "models tried"},
        {"value": words.duration(findings.seconds), "name": "from start to report"},
    ]


def _metric_rows(findings: Findings) -> list[dict[str, Any]]:
    evaluation = findings.evaluation
    holdout = evaluation["holdout"] or {}
    order = sorted(METRICS_OF_TASK[findings.task], key=lambda metric: metric != findings.metric)
    return [
        {
            "name": words.METRIC_NAMES[metric],
            "chosen": metric == findings.metric,
            "validation": words.score_text(metric, evaluation["validation"].get(metric)),
            "holdout": words.score_text(metric, holdout.get(metric)),
            "meaning": words.METRIC_MEANINGS[metric],
        }
        for metric in order
        if evaluation["validation"].get(metric) is not None
    ]


def _leaderboard(findings: Findings) -> list[dict[str, Any]]:
    metric, trials = findings.metric, findings.trials
    best = trials[0]["score"] if trials else 0.0
    floors = [trial["score"] for trial in trials if trial["isBaseline"]]
    worst = floors[0] if floors else (trials[-1]["score"] if trials else 0.0)
    rows = []
    for trial in trials[:_MOST_TRIALS]:
        folds = [value for value in trial["foldScores"] if value is not None]
        share = (trial["score"] - worst) / (best - worst) if best != worst else 1.0
        pace = trial["predictMicrosPerRow"]
        rows.append(
            {
                "name": trial["name"],
                "family": _FAMILIES.get(trial["family"], trial["family"]),
                "score": words.score_text(metric, trial["score"]),
                "spread": words.score_text(metric, float(np.std(folds, ddof=1))) if len(folds) > 1 else None,
                "bar": round(100 * min(max(share, 0.0), 1.0), 1),
                "fit": words.duration(trial["fitSeconds"]),
                "predict": "–" if pace is None else _milliseconds(pace),
                "is_best": trial["isBest"],
                "is_baseline": trial["isBaseline"],
            }
        )
    return rows


def _columns(findings: Findings) -> list[dict[str, Any]]:
    treatments = {entry["name"]: entry["treatment"] for entry in findings.plan["features"]}
    dropped = {entry["name"]: entry["reason"] for entry in findings.plan["dropped"]}
    total = max(findings.profile["usableRows"], 1)
    rows = []
    for column in findings.profile["columns"][:_MOST_COLUMNS]:
        name, role = column["name"], column["role"]
        if role == "feature" and name in dropped:
            role, fate = "dropped", f"dropped: {dropped[name]}"
        elif role == "feature":
            fate = ". ".join(part for part in (treatments.get(name, "used"), column["reason"]) if part)
        elif role == "target":
            fate = "what is predicted"
        else:
            fate = f"{role}: {column['reason']}" if column["reason"] else role
        percent = 100 * column["missing"] / total
        rows.append(
            {
                "name": name,
                "type": column["type"].lower(),
                "missing": f"{column['missing']:,} ({percent:.0f}%)" if percent >= 0.5 else f"{column['missing']:,}",
                "missing_percent": round(min(percent, 100), 1),
                "distinct": f"{column['distinct']:,}",
                "role": role,
                "fate": fate,
            }
        )
        if not column["missing"]:
            rows[-1]["missing"] = ""
    return rows


def _repeat(findings: Findings) -> list[dict[str, str]]:
    job = findings.job
    versions = ", ".join(f"{name} {version}" for name, version in findings.model.created_with.items())
    facts = [
        ("Job", str(job["id"])),
        ("Data", f"{job['datasetName']}: {findings.profile['rows']:,} rows, {len(findings.profile['columns']):,} columns"),
        ("Optimised", words.METRIC_NAMES[findings.metric]),
        ("Folds", f"{findings.folds.max() + 1}, the same for every trial; everything learnt is learnt inside the fold"),
        ("Time", f"{words.duration(findings.seconds)} of {words.duration(job['timeBudgetSeconds'])} allowed"),
        ("Sandbox", str(job["sandbox"]).lower()),
        ("Made with", versions),
    ]
    if findings.seed is not None:
        facts.insert(4, ("Seed", str(findings.seed)))
    return [{"name": name, "value": value} for name, value in facts]


def _trials_words(findings: Findings) -> str:
    best = next((trial["name"] for trial in findings.trials if trial["isBest"]), None)
    tried = sum(not trial["isBaseline"] for trial in findings.trials)
    text = f"{tried} model{'s were' if tried != 1 else ' was'} cross-validated on the same folds."
    return f"{text} {best} was chosen." if best else text


def _data_words(findings: Findings) -> str:
    profile = findings.profile
    used, total = len(findings.plan["features"]), len(profile["columns"])
    text = f"{profile['rows']:,} rows and {total:,} columns came in; {profile['usableRows']:,} rows and {used:,} columns were used."
    if profile["classes"] is not None:
        common = sorted(profile["classes"], key=lambda entry: -entry["count"])
        listed = ", ".join(f"{entry['label']} ({entry['count'] / profile['usableRows']:.0%})" for entry in common[:6])
        return f"{text} Classes: {listed}{' …' if len(common) > 6 else ''}."
    target = profile["target"]
    if target.get("mean") is None:
        return text
    low, high, mean = (words.number(target[key]) for key in ("min", "max", "mean"))
    return f"{text} The target goes from {low} to {high}, {mean} on average."


def _mind_words(findings: Findings) -> str:
    if findings.job["mind"] == "LANGUAGE_MODEL":
        said = "A language model sat in the agents' seats, beside the built-in playbook. It proposes; validation decides what is kept."
        return f"{said} {ideas.lift_words(findings)}".strip()
    return "The built-in playbook sat in the agents' seats: the same data and seed lead to the same decisions."


def _with_columns(warning: dict[str, Any]) -> str:
    names = warning.get("columns") or []
    listed = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    return f"{warning['message']}: {listed}." if names else f"{warning['message']}."


def _milliseconds(micros_per_row: float) -> str:
    """What a thousand rows take; micros per row are milliseconds per thousand."""
    return words.duration(micros_per_row / 1000) if micros_per_row >= 1000 else f"{max(math.ceil(micros_per_row), 1)} ms"


def _sentence(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _date(iso: str) -> str:
    try:
        return f"{datetime.fromisoformat(iso.replace('Z', '+00:00')):%d %B %Y, %H:%M} UTC".lstrip("0")
    except ValueError:
        return iso


def _shell_word(name: str) -> str:
    """The file's name as one word of a shell command."""
    plain = all(character.isalnum() or character in "._-" for character in name) and not name.startswith("-")
    return name if plain and name else "data.csv"
