"""pipeline.py: the winner as a script a person can read, change and run again from the CSV."""

from string import Template
from typing import Any

from . import workspace
from .agent_code.layout import read_source
from .metrics import metric_of
from .wire import finite

_SCRIPT = Template('''\
"""The winning model of a SproutML job, trained again from the CSV.

    python pipeline.py data.csv                    trains, prints the cross-validated score and that on the sealed rows, if any
    python pipeline.py data.csv --model model.pkl  and writes a model for `python -m sproutml_toolkit predict`

Needs the SproutML toolkit and its locked requirements. The job itself scored $metric $score; with the same data, library
versions and threads this script does too.$caution
"""

import argparse
import os
import tempfile
from pathlib import Path

from sproutml_toolkit import prepare, profile, split, train, wire, workspace$code_import
from sproutml_toolkit.ensemble import assemble
from sproutml_toolkit.label_rule import weighed_oof
from sproutml_toolkit.metrics import score
from sproutml_toolkit.model import fitted_model, save_model

JOB = $job
TARGET = $target
METRIC = $metric_literal

# How the file is read, what is left out of it, and by which column rows are split, if any.
DIALECT = $dialect
PROFILE = $profile

# Which rows are sealed off and how the rest are dealt into folds: the seed decides.
SPLIT = $split

# Every model the winner is made of. Parameters not named here have the family's defaults. `stackOn`: models whose answers, out of
# fold, a model sees beside the columns.
MODELS = $models

# How much each model's answer counts; the weights sum to 1.
WEIGHTS = $weights


def cross_validate(name: str) -> float:
    """Train one model of MODELS on every fold; return its out-of-fold score."""
    request = $request
    return train.run({"trialId": name, **request, "timeLimitSeconds": None})["score"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the winning model again and print its score.")
    parser.add_argument("csv", type=Path, help="the table the job was given")
    parser.add_argument("--model", type=Path, help="where to write the trained model")
    options = parser.parse_args()
    csv, model_path = options.csv.resolve(), options.model.resolve() if options.model else None
    wire.use_descriptor(os.open(os.devnull, os.O_WRONLY))  # the toolkit's progress is for the server

    # The toolkit's steps hand each other files in the current folder.
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        profile.run({"input": {"path": str(csv), **DIALECT}, "target": TARGET, **PROFILE})
        split.run(SPLIT)
        prepare.run({"seed": SPLIT["seed"]})

        for name in MODELS:
            print(f"{name}: {METRIC} {cross_validate(name):.6g}", flush=True)

        # The winner's answers are the weighted mean of the models'. For metrics of labels, such as F1, a rule chosen on the
        # folds says from which probability on a class is answered.
        oof, ensemble, rule = assemble(WEIGHTS)
        cross_validated = score(METRIC, workspace.load_train().y, weighed_oof(rule, oof, workspace.load_folds()))
        facts = {
            "family": "ENSEMBLE", "weights": WEIGHTS, "temperature": ensemble.temperature,
            "rule": rule.to_json() if rule else None,
        }
        workspace.save_trial("winner", workspace.Trial(facts, oof, ensemble))
        model = fitted_model("winner")
        sealed = workspace.load_holdout()
        print(f"cross-validated {METRIC}: {cross_validated:.6f}")
        if len(sealed):
            print(f"holdout {METRIC}: {score(METRIC, sealed.y, model.weighed(model.predict_scores(sealed.X))):.6f}")
        if model_path:
            save_model(model, model_path)
            print(f"wrote {model_path}")
        os.chdir(csv.parent)


if __name__ == "__main__":
    main()
''')


# The time a job has decides how many rows of a very large table are drawn.
_OF_PROFILE = (
    "ignoreColumns", "keepColumns", "groupColumn", "timeColumn", "task", "metric", "quantile", "seed", "timeBudgetSeconds",
)  # fmt: skip
#: What of a `train` request is left out of the script where it says nothing.
_WHERE_SAID = ("mostRows", "timeIsGuard")


def pipeline_code(trial_id: str, job_name: str) -> str:
    """The script that repeats a finished trial or ensemble of this job's folder.

    Whatever comes from the user goes in as a Python literal, never as code or comment.
    """
    described = workspace.load_profile()
    asked = described.get("request") or {}
    result = workspace.load_result(trial_id)
    weights: dict[str, float] = result.get("weights") or {trial_id: 1.0}
    members = {member: workspace.load_result(member) for member in workspace.parts_of(weights)}
    names = _names(members)
    models = {names[member]: _request(found, names) for member, found in members.items()}
    dialect = {key: value for key, value in (asked.get("input") or {}).items() if key != "path"}
    coded = any("source" in model for model in models.values())
    limited = any((found.get("request") or {}).get("timeLimitSeconds") for found in members.values())
    return _SCRIPT.substitute(
        metric=described["metric"],
        score=f"{result['score']:.6f}",
        caution=" Where the job's clock cut a training short,\nthe script lets it finish." if limited else "",
        job=repr(job_name),
        target=repr(described["target"]["name"]),
        metric_literal=repr(metric_of(described)),
        dialect=_literal(dialect),
        profile=_literal({key: asked.get(key) for key in _OF_PROFILE if key in asked}),
        split=_literal(workspace.load_json(workspace.SPLIT)["request"]),
        models=_literal(models),
        code_import="\nfrom sproutml_toolkit.agent_code.again import with_answers" if coded else "",
        request=_CODED if coded else "MODELS[name]",
        weights=_literal({names[member]: weight for member, weight in weights.items()}),
    )


#: Models with a `source` run Python that a language model wrote: read it below before you run this.
_CODED = 'with_answers(name, MODELS[name]) if "source" in MODELS[name] else MODELS[name]  # runs the source: read it first'


def _request(result: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    asked = result.get("request") or {}
    code = asked.get("code")
    return ({"source": read_source(code["id"]), "drop": code.get("drop") or []} if code else {}) | {
        "family": result["family"],
        "params": asked.get("params") or {},
        "seed": asked.get("seed") or 0,
        "threads": asked.get("threads") or 1,
    } | {key: asked[key] for key in _WHERE_SAID if asked.get(key)} | (
        {"stackOn": [names[base] for base in workspace.bases_of(result)]} if workspace.bases_of(result) else {}
    )  # fmt: skip


def _names(members: dict[str, dict[str, Any]]) -> dict[str, str]:
    """lightgbm, lightgbm-2, catboost …: what a reader calls the models, by trial id."""
    names: dict[str, str] = {}
    seen: dict[str, int] = {}
    for trial_id, result in members.items():
        family = result["family"].lower().replace("_", "-")
        seen[family] = seen.get(family, 0) + 1
        names[trial_id] = family if seen[family] == 1 else f"{family}-{seen[family]}"
    return names


def _literal(value: dict[str, Any]) -> str:
    """A dict as Python source: on one line where it fits, else an entry a line."""
    value = finite(value)
    line = repr(value)
    if len(line) <= 100:
        return line
    return "{\n" + "".join(f"    {key!r}: {item!r},\n" for key, item in value.items()) + "}"
