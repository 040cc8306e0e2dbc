"""What agent-written code made of the training rows, checked, as a trial's cross-validation takes it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import workspace
from ..metrics import is_lower_better
from ..wire import ToolkitError
from .layout import code_folder, column_ids, read_source
from .model import AgentCode, like, made_name, with_columns
from .reading import read_bytes, read_frame, read_scores, read_state
from .source import FEATURES, PIPELINE, form_of

_SURELY_BEHIND = 5.0
_MOST_STATES = 1024 * 1024 * 1024


@dataclass
class Part:
    """One task's answers: a frame with its columns' kinds, or a pipeline's scores, for the rows at `rows`."""

    rows: np.ndarray
    made: Any
    kinds: dict[str, str]
    fit_seconds: float
    answer_seconds: float


@dataclass
class CodedTrial:
    """parts: by fold number; of code that learns nothing one, under 0. dropped: header names that the family does not see."""

    code: AgentCode
    parts: dict[int, Part]
    dropped: list[str]

    def part(self, fold: int) -> Part:
        return self.parts[fold if self.code.form != FEATURES else 0]

    def table(self, train: workspace.Table, fold: int) -> workspace.Table:
        """The training rows with the columns made in this fold."""
        return workspace.Table(with_columns(train.X, self.part(fold).made), train.y, train.row_ids)

    def features(self, plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The plan's entries without the dropped columns, and one for each column made."""
        kept = [entry for entry in plan if entry["name"] not in self.dropped]
        types = {"number": "NUMERIC", "category": "CATEGORICAL"}
        return kept + [
            {"name": made_name(name), "type": types[kind], "kind": kind, "treatment": "made by agent-written code"}
            for name, kind in self.code.made.items()
        ]


def read_trial(asked: dict[str, Any]) -> CodedTrial:
    """The trial of a request's `code`: {id, answers: {part: folder}, drop: [c0 …]}. Errors: CODE_OUTPUT_INVALID CODE_ROWS_DEPEND."""
    code_id = asked["id"]
    source = read_source(code_id)
    form, profile, train = form_of(source), workspace.load_profile(), workspace.load_train()
    classes = len(profile["classes"] or [])
    names = [str(name) for name in train.X.columns]
    answers: dict[str, str] = asked["answers"]
    parts = {0 if part == "all" else int(part.removeprefix("fold-")): read_part(code_id, part, Path(where), form, classes)
             for part, where in answers.items()}  # fmt: skip
    expected = {0} if form == FEATURES else {int(number) for number in np.unique(workspace.load_folds())}
    if set(parts) != expected:
        raise ToolkitError("REQUEST_INVALID", "the answers of some folds are not named", "Name every part that was laid out.")
    kinds = parts[min(parts)].kinds
    if any(part.kinds != kinds for part in parts.values()):
        raise ToolkitError("CODE_OUTPUT_INVALID", "other columns are made in one fold than in another", "Make the same columns always.")
    ids = dict(zip(column_ids(names), names, strict=True))
    # A column returned under the id of one that was given stands in its place.
    dropped = _known([*asked.get("drop", []), *(name for name in kinds if name in ids)], ids)
    states = [read_state(Path(where)) for _, where in sorted(answers.items(), key=lambda item: _number(item[0]))] if form != FEATURES else []
    if sum(map(len, states)) > _MOST_STATES:
        raise ToolkitError("CODE_OUTPUT_INVALID", "what the code learnt takes over a gigabyte", "Keep less in the state.")
    code = AgentCode(code_id, form, source, names, states, kinds, classes)
    if form != PIPELINE and not kinds and not dropped:
        raise ToolkitError("CODE_OUTPUT_INVALID", "no column was made and none dropped", "Return a frame with new columns.")
    if form != PIPELINE and not kinds and len(dropped) >= len(names):
        raise ToolkitError("CODE_OUTPUT_INVALID", "every column was dropped", "Keep some.")
    return CodedTrial(code, parts, dropped)


def read_part(code_id: str, part: str, answers: Path, form: str, classes: int) -> Part:
    """One task's answers, each row's the same among few rows in another order as among all."""
    folder = code_folder(code_id) / part
    asked, probe = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("asked", "probe"))
    places = np.searchsorted(asked, probe)
    kinds: dict[str, str] = {}
    if form == PIPELINE:
        made = read_scores(answers / "asked", len(asked), classes)
        alone = read_scores(answers / "probe", len(probe), classes)
        same = np.allclose(made[places], alone, rtol=1e-5, atol=1e-7)
    else:
        made, kinds = read_frame(answers / "asked", len(asked))
        alone, kinds_alone = read_frame(answers / "probe", len(probe))
        alike = like(alone, kinds_alone, kinds)
        same = alike is not None and _same(made.iloc[places].reset_index(drop=True), alike)
    if not same:
        raise ToolkitError(
            "CODE_ROWS_DEPEND",
            "a row's answer changes with the rows beside it: it was another one among fewer rows in another order",
            "Make each row's values from that row alone, and from what fit(frame, target) learnt of training rows.",
        )
    times = _times(answers)
    return Part(asked, made, kinds, times[0], times[1])


def refuse_memorised(metric: str, fold_scores: list[float | None]) -> None:
    """CODE_MEMORISED where the last fold, whose targets no agent was shown, scores far below all others: by more than five of
    their standard deviations. Code that holds the rows it has looked at knows the others by heart."""
    *others, last = [value for value in fold_scores if value is not None and np.isfinite(value)] or [0.0]
    if len(others) < 3 or len(others) + 1 < len(fold_scores):
        return
    worse = 1 if is_lower_better(metric) else -1
    behind = (last - float(np.mean(others))) * worse
    if behind > _SURELY_BEHIND * float(np.std(others, ddof=1)) + 1e-9 and all((last - value) * worse > 0 for value in others):
        raise ToolkitError(
            "CODE_MEMORISED",
            "on rows that were never shown it does far worse than on those that were: it knows them by heart",
            "Compute from a row's values what holds for any row.",
        )


def _same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    for name in one.columns:
        a, b = one[name], other[name]
        if a.dtype == object:
            if not (a.isna() == b.isna()).all() or not (a[a.notna()] == b[b.notna()]).all():
                return False
        elif not np.allclose(a, b, rtol=1e-7, atol=1e-9, equal_nan=True):
            return False
    return True


def _times(answers: Path) -> tuple[float, float]:
    """Seconds as the code's own process says; it may say what it likes, within reason."""
    try:
        said = json.loads(read_bytes(answers / "times.json", 1_000))
        found = [min(max(float(said[key]), 0.0), 1e5) for key in ("fitSeconds", "answerSeconds")]
    except (ValueError, TypeError, KeyError):
        return 0.0, 0.0
    return found[0], found[1]


def _known(ids: list[str], names: dict[str, str]) -> list[str]:
    unknown = [entry for entry in ids if entry not in names]
    if unknown:
        raise ToolkitError(
            "COLUMNS_NOT_FOUND", f"there is no column {', '.join(map(str, unknown[:5]))}", f"Columns are c0 to c{len(names) - 1}."
        )
    return [names[entry] for entry in dict.fromkeys(ids)]


def _number(part: str) -> int:
    return int(part.removeprefix("fold-")) if part.startswith("fold-") else 0
