"""Everything the report is made of, read once from the job's folder and the request."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import evaluate, workspace
from ..label_rule import rule_of, weighed_oof
from ..metrics import is_lower_better
from ..model import FittedModel, fitted_model
from ..wire import emit_progress
from ..workspace import Table


_AGAINST_THE_SCORE = frozenset({"LEAK_LIKELY", "TARGET_IS_SUM"})


@dataclass
class Findings:
    """The request's facts beside what the commands left in the folder.

    trials: as in the request, best first. evaluation: as `evaluate` writes it. holdout_scores: (m, k) or (m,), or None with no
    sealed rows. oof: the winner's out-of-fold scores. weighed_oof, weighed_holdout: those by its rule for labels.
    members: the results of the single models that the winner is made of.
    ideas: code that a language model wrote and what came of it. playbook_score: the best of the playbook's own, beside such a model.
    fast_trial_id: whose configuration the light model has; None where there is no such model, with the reason.
    """

    job: dict[str, Any]
    trial_id: str
    trials: list[dict[str, Any]]
    history: list[dict[str, Any]]
    decisions: list[dict[str, str]]
    log: list[str]
    seconds: float
    profile: dict[str, Any]
    split: dict[str, Any]
    plan: dict[str, Any]
    evaluation: dict[str, Any]
    train: Table
    folds: np.ndarray
    oof: np.ndarray
    weighed_oof: np.ndarray
    holdout: Table | None
    holdout_scores: np.ndarray | None
    weighed_holdout: np.ndarray | None
    model: FittedModel
    members: list[dict[str, Any]]
    fast_trial_id: str | None
    fast_reason: str | None
    seed: int | None
    ideas: list[dict[str, Any]]
    playbook_score: float | None

    @property
    def task(self) -> str:
        return self.profile["task"]

    @property
    def metric(self) -> str:
        return self.profile["metric"]

    @property
    def target(self) -> str:
        return self.profile["target"]["name"]

    @property
    def classes(self) -> list[str] | None:
        return [str(entry["label"]) for entry in self.profile["classes"]] if self.profile["classes"] else None

    @property
    def best(self) -> dict[str, Any]:
        """The winner as the request tells it; what its own result says where the request leaves it out."""
        for trial in self.trials:
            if trial["id"] == self.trial_id:
                return trial
        return {"id": self.trial_id, "name": self.model.family, "family": self.model.family, "score": None, "foldScores": []}


def gather(request: dict[str, Any]) -> Findings:
    """Read what the report needs. A winner whose sealed rows were not scored yet is scored now."""
    trial_id = request["trialId"]
    profile = workspace.load_profile()
    seed = (profile.get("request") or {}).get("seed")
    plan, evaluation = workspace.load_plan(), _evaluation(trial_id, seed)
    # What may make the score worthless stands beside it.
    evaluation["warnings"] += [entry for entry in plan.get("warnings", []) if entry["code"] in _AGAINST_THE_SCORE]
    trial, model, folds = workspace.load_trial(trial_id), fitted_model(trial_id), workspace.load_folds()
    scored = evaluation["holdout"] is not None
    holdout_scores = np.load(evaluate.HOLDOUT_SCORES, allow_pickle=False) if scored else None
    fast = request.get("fastModel") or {}
    sign = 1 if is_lower_better(profile["metric"]) else -1
    return Findings(
        job=request["job"],
        trial_id=trial_id,
        trials=sorted(request["trials"], key=lambda entry: (not entry["isBest"], sign * entry["score"])),
        history=request["history"],
        decisions=request["decisions"],
        log=request["log"],
        seconds=float(request["seconds"]),
        profile=profile,
        split=workspace.load_json(workspace.SPLIT),
        plan=plan,
        evaluation=evaluation,
        train=workspace.load_train(),
        folds=folds,
        oof=trial.oof,
        weighed_oof=weighed_oof(rule_of(trial.result), trial.oof, folds),
        holdout=workspace.load_holdout() if scored else None,
        holdout_scores=holdout_scores,
        weighed_holdout=model.weighed(holdout_scores) if scored else None,
        model=model,
        members=[workspace.load_result(member) for member in workspace.parts_of(trial.result.get("weights") or [trial_id])],
        fast_trial_id=fast.get("trialId"),
        fast_reason=fast.get("reason"),
        seed=seed,
        ideas=request.get("ideas") or [],
        playbook_score=request.get("playbookScore"),
    )


def _evaluation(trial_id: str, seed: int | None) -> dict[str, Any]:
    if evaluate.HOLDOUT_EVALUATION.is_file():
        found = workspace.load_json(evaluate.HOLDOUT_EVALUATION)
        if found["trialId"] == trial_id:
            return found
    emit_progress(0.02, "the winner's sealed rows were not scored yet: scoring them")
    evaluate.run({"trialId": trial_id, "holdout": True, "seed": seed or 0})
    return workspace.load_json(evaluate.HOLDOUT_EVALUATION)
