"""`refit`: one light model beside the winner: one trial's configuration, fitted once on all training rows.

Nothing is validated any more, so boosting rounds and epochs are what cross-validation found: the median of its folds, and a tenth
more, for there are more rows. AutoGluon takes the folds' mean as it is (its own note says to try 1.1); on the training rows of
seven tables a tenth more did better in 7 of 13 pairs of table and booster, and by more than it did worse in the others.

Rows that `profile` left out of a table too large for the job are not read again, and the report says so. They would tell something:
of a made-up table of 500,000 rows x 20, a LightGBM of 300 rounds reached an AUC of .836 on all of them and of .828 on the 300,000
that a job of 15 seconds draws. But it took 20 seconds of a core, more than such a job has left for its light model (4 at most, on
two cores); and the rows that memory left out of millions would take minutes, where the longest job keeps 20 seconds.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from . import texts, workspace
from .adjustment import Adjustment
from .families import family
from .families.fold import Fold
from .fitting import fit_part
from .label_rule import rule_of
from .metrics import metric_of
from .model import frame_model, save_model
from .train import BaggedModel, parameters_of, threads_of_a_fit
from .wire import emit_progress

FAST_MODEL = Path("work/fast-model.pkl")
_LONGER = 1.1


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `refit` request: see PROTOCOL.md."""
    limit, train = float(request["timeLimitSeconds"]), workspace.load_train()
    expected = {trial_id: _expected_seconds(trial_id, len(train)) for trial_id in request["trialIds"]}
    chosen = next((trial_id for trial_id, seconds in expected.items() if seconds <= limit), None)
    if chosen is None:
        least = min(expected.values(), default=0.0)
        return {"trialId": None, "seconds": 0.0, "reason": f"it would take about {least:.1f} s, more than is left for it"}

    trial, profile = workspace.load_result(chosen), workspace.load_profile()
    classes = profile["classes"]
    texts.recall(train.X)
    found = trial["parameters"]
    longer = {key: round(_LONGER * found[key]) for key in ("rounds", "epochs") if key in found}
    parameters = parameters_of(trial["family"], found | longer)
    emit_progress(0.1, f"fitting {trial['family']} on all {len(train):,} training rows")
    started = time.monotonic()
    everything = Fold(
        X_train=train.X, y_train=train.y, X_valid=train.X, y_valid=train.y,
        task=profile["task"], metric=metric_of(profile), n_classes=len(classes) if classes else 0,
        features=workspace.load_plan()["features"], seed=int(request.get("seed") or 0),
        threads=threads_of_a_fit(len(train), max(int(request.get("threads") or 1), 1)), exact=True,
    )  # fmt: skip
    held = np.zeros(len(train), dtype=bool)
    fitted = fit_part(family(trial["family"]), parameters, train, held, everything, "all rows")
    bagged = workspace.load_scorer(chosen)
    adjustment = getattr(bagged, "adjustment", Adjustment())
    alone = fitted.model if adjustment == Adjustment() else BaggedModel([fitted.model], adjustment)
    temperature = getattr(bagged, "temperature", 1.0)
    rule = rule_of(trial)
    model = frame_model(chosen, trial["family"], [(1.0, alone)], temperature, rule.weights if rule else None)
    save_model(model, FAST_MODEL)
    seconds = round(time.monotonic() - started, 3)
    return {"trialId": chosen, "seconds": seconds, "reason": None}


def _expected_seconds(trial_id: str, rows: int) -> float:
    """A fold's seconds, for all `rows` instead of those that it learnt from."""
    result = workspace.load_result(trial_id)
    # A trial of an earlier release does not say: it learnt from all rows of its folds, which are nearly all there are.
    return result["foldSeconds"] * rows / max(result.get("foldRows", rows), 1)
