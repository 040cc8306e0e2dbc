"""The models a job leaves, side by side: the winner, and the light one of `refit` where there is one."""

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import workspace
from ..metrics import metric_of, score
from ..model import FittedModel, load_model, save_model
from ..refit import FAST_MODEL
from . import words
from .findings import Findings

#: Rows of the call that is timed; fewer where a few already take this many seconds.
_TIMED_ROWS, _FEW_ROWS, _LONG_SECONDS = 1_000, 100, 0.2


@dataclass(frozen=True)
class ModelFile:
    """A model as a file. holdout: the job's metric on the sealed rows, or None. microsPerRow: a thousand rows in one call, warm."""

    file: str
    trial: str
    holdout: float | None
    bytes: int
    microsPerRow: float  # noqa: N815

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def save_models(findings: Findings, out: Path) -> list[ModelFile]:
    """Write model.pkl and, where `refit` left one, model-fast.pkl; what each is, the winner first.

    The sealed rows are scored for both and choose neither. Without a light model nothing is timed, for there is nothing to compare.
    """
    save_model(findings.model, out / "model.pkl")
    if findings.fast_trial_id is None:
        return []
    fast = load_model(FAST_MODEL)
    with workspace.atomic_write(out / "model-fast.pkl") as temporary:
        shutil.copyfile(FAST_MODEL, temporary)
    names = {trial["id"]: trial["name"] for trial in findings.trials}
    models = (("model.pkl", findings.model, findings.best["name"]), ("model-fast.pkl", fast, names.get(fast.trial_id, fast.family)))
    holdout = findings.evaluation["holdout"]
    scores = (holdout and holdout[findings.metric], _holdout_score(findings, fast))
    return [
        ModelFile(file, name, value, (out / file).stat().st_size, _micros_per_row(model, findings.train.X))
        for (file, model, name), value in zip(models, scores, strict=True)
    ]


def render(findings: Findings, models: list[ModelFile]) -> dict[str, Any]:
    """What the page shows of them: rows of a table and a sentence."""
    sampled = _learnt_from_samples(findings)
    if not models:
        why = f": {findings.fast_reason}" if findings.fast_reason else ""
        return {"rows": [], "text": f"There is no light model beside this one{why}.{sampled}"}
    best, fast = models
    rows = [
        {
            "file": model.file,
            "trial": model.trial,
            "score": words.score_text(findings.metric, model.holdout),
            "size": size_text(model.bytes),
            "pace": f"{max(model.microsPerRow, 0.1):,.1f}" if model.microsPerRow < 10 else f"{model.microsPerRow:,.0f}",
        }
        for model in models
    ]
    drawn = any(entry["code"] == "ROWS_SAMPLED" for entry in findings.profile["warnings"])
    which = "training rows of those that were drawn" if drawn else "training rows"
    text = (
        f"model-fast.pkl is {fast.trial} alone, fitted once on all {len(findings.train):,} {which}: "
        f"{_beside(best.bytes / fast.bytes, 'smaller', 'larger', 'as large')} and "
        f"{_beside(best.microsPerRow / fast.microsPerRow, 'quicker', 'slower', 'as quick')}. Use it where speed or size counts, and "
        "model.pkl where the score does."
    )
    if fast.holdout is not None:
        text += " Both were scored on the sealed rows, which chose neither."
    return {"rows": rows, "text": text + sampled}


def _learnt_from_samples(findings: Findings) -> str:
    """A sentence where models of the winner learnt from a part of the rows, for want of time; else nothing."""
    rows = [member["foldRows"] for member in findings.members if member.get("sampled")]
    if not rows:
        return ""
    who = "model.pkl" if len(findings.members) == 1 else f"{len(rows)} of the {len(findings.members)} models in model.pkl"
    few = f"{min(rows):,}" if min(rows) == max(rows) else f"{min(rows):,} to {max(rows):,}"
    return f" {who} learnt from {few} rows a fold and not from all, for want of time: a longer job would learn from more."


def size_text(size: int) -> str:
    """950 kB, 12.4 MB."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):.0f} kB"


def _beside(ratio: float, better: str, worse: str, alike: str) -> str:
    """19 times smaller; 1.5 times slower; about as large."""
    times = max(ratio, 1 / ratio)
    if times < 1.2:
        return f"about {alike}"
    return f"{f'{times:.0f}' if times >= 3 else f'{times:.1f}'} times {better if ratio > 1 else worse}"


def _holdout_score(findings: Findings, model: FittedModel) -> float | None:
    if findings.holdout is None:
        return None
    value = score(metric_of(findings.profile), findings.holdout.y, model.weighed(model.predict_scores(findings.holdout.X)))
    return None if value is None or not np.isfinite(value) else float(value)


def _micros_per_row(model: FittedModel, X: pd.DataFrame) -> float:
    rows = X.iloc[np.arange(_TIMED_ROWS) % len(X)]
    model.predict_scores(rows.iloc[:_FEW_ROWS])  # what is read or built once
    few = _seconds(model, rows.iloc[:_FEW_ROWS])
    seconds, count = (few, _FEW_ROWS) if few > _LONG_SECONDS else (_seconds(model, rows), _TIMED_ROWS)
    return max(round(seconds / count * 1e6, 2), 0.01)


def _seconds(model: FittedModel, X: pd.DataFrame) -> float:
    started = time.perf_counter()
    model.predict_scores(X)
    return time.perf_counter() - started
