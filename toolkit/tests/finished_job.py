"""Small jobs run to their end by the toolkit's own commands, once per test run: what evaluate and report start from."""

import csv
import functools
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sproutml_toolkit import ensemble, evaluate, prepare, profile, report, split, train

SEED = 7
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"

#: Header and labels that attack a page, a spreadsheet, a formula typesetter and a script in turn.
SCRIPT_HEADER = '<script>alert("x")</script>'
QUOTES_HEADER = "it's \"\"\" a '''\\ trap\n"
FORMULA_LABEL = "=cmd|' /C calc'!A0"
MATH_LABEL = "$5</title>_1$"


@functools.cache
def penguins() -> Path:
    """Three classes; the winner is an ensemble."""
    with PENGUINS.open(newline="") as file:
        return _run("species", list(csv.reader(file)))


@functools.cache
def hostile() -> Path:
    """Two classes, with the nastiest names that can stand in a CSV."""
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=400), rng.normal(size=400)
    colour = rng.choice(["red & <b>blue</b>", "green"], 400)
    label = np.where(signal + 0.3 * rng.normal(size=400) > 0.2, FORMULA_LABEL, MATH_LABEL)
    header = [SCRIPT_HEADER, "_noise", "=HYPERLINK(1)", QUOTES_HEADER]
    rows = zip(signal.round(4), noise.round(4), colour, label, strict=True)
    return _run(QUOTES_HEADER.strip(), [header, *([str(cell) for cell in row] for row in rows)])


@functools.cache
def houses() -> Path:
    """A regression."""
    rng = np.random.default_rng(1)
    area, rooms, useless = rng.uniform(40, 200, 300), rng.integers(1, 7, 300), rng.normal(size=300)
    price = 1000 * area + 5000 * rooms + rng.normal(0, 9000, 300)
    rows = zip(area.round(1), rooms, useless.round(3), price.round(), strict=True)
    return _run("price", [["area", "rooms", "useless", "price"], *([str(cell) for cell in row] for row in rows)])


@functools.cache
def hurried() -> Path:
    """A regression on one column of six, in steps; its booster, which wins, learnt from 100 rows of a fold."""
    rng = np.random.default_rng(6)
    columns = rng.uniform(0, 10, (320, 6)).round(2)
    height = np.where(columns[:, 0] > 4, 50, 10) + rng.normal(0, 2, 320)
    rows = [[*map(str, row), f"{value:.2f}"] for row, value in zip(columns, height, strict=True)]
    return _run("height", [[*"abcdef", "height"], *rows], most_rows=100)


@functools.cache
def unsealed() -> Path:
    """A regression with no sealed row."""
    rng = np.random.default_rng(2)
    size = rng.normal(size=80)
    rows = [[f"{value:.3f}", f"{3 * value + rng.normal():.3f}"] for value in size]
    return _run("y", [["size", "y"], *rows], holdout=0)


@functools.cache
def grouped() -> Path:
    """Two classes, a few rows of each of 40 patients, who differ; split by patient."""
    rng = np.random.default_rng(3)
    patient = rng.integers(0, 40, 240)
    size = rng.normal(size=40)[patient] + 0.3 * rng.normal(size=240)
    state = np.where(size + rng.normal(size=240) > 0, "ill", "well")
    rows = [[f"p{patient[i]}", f"{size[i]:.3f}", state[i]] for i in range(240)]
    return _run("state", [["patient", "size", "state"], *rows], groupColumn="patient")


@functools.cache
def timed() -> Path:
    """A number that grows and swings over 200 days, in no order; split by day."""
    rng = np.random.default_rng(4)
    days = rng.permutation(200)
    rows = [[f"{np.datetime64('2024-01-01') + day}", f"{day / 50 + np.sin(day / 9) + 0.1 * rng.normal():.3f}"] for day in days]
    return _run("load", [["day", "load"], *rows], timeColumn="day")


@functools.cache
def delays() -> Path:
    """A bound that nine values in ten keep to."""
    rng = np.random.default_rng(5)
    distance, busy = rng.uniform(1, 10, 400), rng.choice(["yes", "no"], 400)
    delay = distance * rng.gamma(2.0, np.where(busy == "yes", 3.0, 1.0))
    rows = zip(distance.round(2), busy, delay.round(2), strict=True)
    return _run("delay", [["distance", "busy", "delay"], *([str(cell) for cell in row] for row in rows)], metric="PINBALL", quantile=0.9)


@functools.cache
def layered() -> Path:
    """Three classes; the winner is an ensemble with a model of a second layer."""
    rng = np.random.default_rng(8)
    place = rng.normal(size=(240, 3))
    ring = np.digitize(np.hypot(place[:, 0], place[:, 1]) + 0.1 * rng.normal(size=240), [0.8, 1.5])
    rows = [[*(f"{value:.3f}" for value in row), "abc"[number]] for row, number in zip(place, ring, strict=True)]
    return _run("ring", [["x", "y", "z", "ring"], *rows], second_layer=True)


def report_request(folder: Path) -> dict[str, Any]:
    """What the server would send for this folder's winner."""
    return _REQUESTS[folder]


_REQUESTS: dict[Path, dict[str, Any]] = {}
_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def _run(
    target: str, table: list[list[str]], holdout: float | None = None, most_rows: int | None = None, second_layer: bool = False, **asked: Any
) -> Path:
    kept = tempfile.TemporaryDirectory()
    _KEPT.append(kept)
    folder = Path(kept.name)
    (folder / "input").mkdir()
    with (folder / "input" / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    before = Path.cwd()
    os.chdir(folder)
    try:
        source = {"path": "input/data.csv", "delimiter": ",", "encoding": "utf-8", "compression": None}
        request = {"input": source, "target": target, "ignoreColumns": [], "task": None, "metric": None, "seed": SEED}
        found = profile.run(request | asked)
        split.run({"holdoutFraction": holdout, "folds": 4, "seed": SEED})
        prepare.run({"seed": SEED})
        results = []
        for trial_id, family in (("b", "BASELINE"), ("l", "LIGHTGBM"), ("k", "KNN")):
            params = {"rounds": 60, "feature_fraction": 0.5} if family == "LIGHTGBM" else {}
            request = {"trialId": trial_id, "family": family, "params": params, "timeLimitSeconds": 60, "threads": 2, "seed": SEED}
            results.append(train.run(request | {"mostRows": most_rows if family == "LIGHTGBM" else None}))
        if second_layer:
            request = {"trialId": "s", "family": "EXTRA_TREES", "params": {}, "timeLimitSeconds": 60, "threads": 2, "seed": SEED}
            results.append(train.run(request | {"stackOn": ["k", "l"]}))
        members = ["s", "k"] if second_layer else ["l", "k"]
        results.append({"family": "ENSEMBLE", "parameters": {}, **ensemble.run({"trialId": "e", "trialIds": members, "rounds": 10})})
        evaluate.run({"trialId": "e", "holdout": True, "seed": SEED})
        _REQUESTS[folder] = _request(found, results)
        report.run(_REQUESTS[folder])
    finally:
        os.chdir(before)
    return folder


def _request(found: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    trials = [
        {
            "id": result["trialId"], "name": f"{result['family']} <i>one</i>", "family": result["family"], "agent": "SUB_TRAINER",
            "score": result["score"], "foldScores": result["foldScores"], "fitSeconds": result["fitSeconds"],
            "predictMicrosPerRow": result["predictMicrosPerRow"], "parameters": result["parameters"],
            "isBaseline": result["family"] == "BASELINE", "isBest": result["trialId"] == "e",
        }
        for result in results
    ]  # fmt: skip
    return {
        "trialId": "e",
        "job": {
            "id": "job-1", "name": "</style><script>alert(1)</script>", "createdAt": "2026-01-02T03:04:05Z",
            "targetColumn": found["target"]["name"], "task": found["task"], "metric": found["metric"], "timeBudgetSeconds": 60,
            "mind": "PLAYBOOK", "sandbox": "LOCAL", "datasetName": "data.csv; rm -rf /", "instructions": "<img src=x onerror=alert(2)>",
        },
        "trials": trials,
        "history": [{"seconds": place + 0.5, "score": trial["score"], "name": trial["name"]} for place, trial in enumerate(trials)],
        "decisions": [{"agent": "ORCHESTRATOR", "text": "<script>alert(3)</script>"}, {"agent": "TUNER", "text": "Stopped: no gain."}],
        "log": ["03:04:05 started", "two\nlines"],
        "seconds": 12.5,
    }  # fmt: skip
