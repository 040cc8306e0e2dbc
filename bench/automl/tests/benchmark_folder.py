"""A small folder of tables with its catalogue, and systems that are a few lines of Python."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from automl_bench.catalogue import Dataset, load_catalogue
from automl_bench.systems import System

ROWS = 90

# Keeps what it was given, answers the same for every row.
_HONEST = """
import csv, json, pathlib, shutil, sys
verb, folder = sys.argv[1], pathlib.Path(sys.argv[2])
request = json.loads((folder / "request.json").read_text())
seen = pathlib.Path(request["options"]["seen"])
with seen.open("a") as file:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            file.write(f"=== {verb} {path.name}\\n{path.read_text()}\\n")
if verb == "fit":
    with (folder / "train.csv").open() as file:
        labels = sorted({row[request["target"]] for row in csv.DictReader(file)})
    (folder / "model" / "model").write_text(json.dumps(labels))
    (folder / "fit.json").write_text(json.dumps({"train_seconds": 1.5, "notes": {"a": 1}}))
else:
    labels = json.loads((folder / "model" / "model").read_text())
    with (folder / "test.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ["prediction"] if request["task"] == "regression" else labels
    value = 0.5 if request["task"] == "regression" else 1 / len(labels)
    with (folder / "predictions.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([[value] * len(names) for _ in rows])
    (folder / "predict.json").write_text(json.dumps({"micros_per_row": 2.0}))
"""


def write_folder(folder: Path) -> Path:
    """`colour` (binary), `three` (multiclass, one class of 4 rows) and `value` (regression, every target another)."""
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"a": rng.normal(size=ROWS).round(6), "id": [f"row{i:03d}" for i in range(ROWS)]})
    targets = {
        "colour": ["01" if i % 3 else "no" for i in range(ROWS)],
        "three": ["rare" if i < 4 else "xy"[i % 2] for i in range(ROWS)],
        "value": [f"7{i:03d}.25" for i in range(ROWS)],
    }
    tasks = {"colour": ("binary", "auc"), "three": ("multiclass", "logloss"), "value": ("regression", "rmse")}
    entries = []
    for name, target in targets.items():
        features.assign(leak=target, y=target).to_csv(folder / f"{name}.csv", index=False)
        task, metric = tasks[name]
        entries.append({
            "name": name, "file": f"{name}.csv", "target": "y", "task": task, "metric": metric, "leak_columns": ["leak"],
        })  # fmt: skip
    (folder / "catalogue.json").write_text(json.dumps({"datasets": entries}))
    return folder


def dataset(folder: Path, name: str) -> Dataset:
    return load_catalogue(folder, [name])[0]


def system(program: str = _HONEST, name: str = "honest", **options: str) -> System:
    command = (sys.executable, "-S", "-c", program)
    return System(name, command, command, options, "1.0")
