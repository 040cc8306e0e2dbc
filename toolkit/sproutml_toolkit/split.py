"""`split`: seal a holdout away before anything learns, and deal the rest into folds."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from . import workspace
from .split_groups import ByGroup
from .split_keys import Groups, Times
from .split_time import ByTime
from .wire import ToolkitError, emit_progress

_HOLDOUT = 0.2
_HOLDOUT_CAP = 50_000
_BINS = 10
_MANY_ROWS = 50_000
# By a booster of some hundred rounds on one core.
_CELLS_FITTED_PER_SECOND = 500_000


class Splitter(Protocol):
    """A way to part rows. Row positions are those of the whole table."""

    stratified: bool

    def seal(self, size: int) -> np.ndarray:
        """Sorted positions of the holdout: about `size` rows, none for 0."""
        ...

    def most_folds(self, kept: np.ndarray) -> int:
        """How many folds the rows left for training can be dealt into."""
        ...

    def deal(self, kept: np.ndarray, folds: int) -> np.ndarray:
        """(kept,) fold numbers 0, 1, 2 …; `folds` of them, or fewer where it can't be."""
        ...

    def say(self, held: np.ndarray, kept: np.ndarray, folds: int) -> list[str]:
        """How rows were split, in sentences for people."""
        ...

    def warnings(self, held: np.ndarray, kept: np.ndarray) -> list[dict[str, str]]:
        """What to know about it before trusting a score."""
        ...


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `split` request: see PROTOCOL.md."""
    table = workspace.load_table()
    profile = workspace.load_profile()
    classes = np.asarray(table.y) if profile["task"] != "REGRESSION" else None
    splitter = _splitter(table, classes, np.random.default_rng(int(request.get("seed") or 0)))

    held = splitter.seal(_holdout_size(len(table), request.get("holdoutFraction")))
    kept = np.setdiff1d(np.arange(len(table)), held)
    if classes is not None and len(np.unique(classes[kept])) < 2:
        raise ToolkitError(
            "TARGET_CONSTANT",
            "once the holdout is sealed, every row left for training has the same class",
            "Seal fewer rows by holdoutFraction, or split by another column.",
        )
    folds = _fold_count(len(kept), classes[kept] if classes is not None else None, request.get("folds"))
    if request.get("folds") is None:
        folds = _affordable_folds(folds, len(kept), table.X.shape[1], request.get("timeBudgetSeconds"))
    numbers = splitter.deal(kept, min(folds, splitter.most_folds(kept)))
    folds = int(numbers.max()) + 1
    decisions = splitter.say(held, kept, folds)

    workspace.save_pickle(workspace.HOLDOUT, table.take(held))
    workspace.save_pickle(workspace.TRAIN, table.take(kept))
    workspace.save_array(workspace.FOLDS, numbers)
    emit_progress(1.0, f"{len(kept):,} rows in {folds} folds, {len(held):,} rows sealed")
    workspace.save_json(workspace.SPLIT, {"request": request, "decisions": decisions})
    return {
        "trainRows": len(kept),
        "holdoutRows": len(held),
        "folds": folds,
        "stratified": splitter.stratified,
        "decisions": decisions,
        "warnings": [
            *_warnings(len(held)),
            *(_of_classes(classes, held, kept, numbers) if classes is not None else []),
            *splitter.warnings(held, kept),
        ],
    }


def _splitter(table: workspace.Table, classes: np.ndarray | None, rng: np.random.Generator) -> Splitter:
    strata = classes if classes is not None else _quantile_bins(table.y)
    keys = workspace.load_pickle(workspace.SPLIT_KEYS)
    if isinstance(keys, Times):
        return ByTime(keys)
    if isinstance(keys, Groups):
        return ByGroup(keys, strata, classes is not None, rng)
    return ByRow(strata, classes is not None, rng)


@dataclass
class ByRow:
    """Splits by chance, each class (or tenth of a numeric target) in its share on every side."""

    strata: np.ndarray
    classification: bool
    rng: np.random.Generator
    stratified = True

    def seal(self, size: int) -> np.ndarray:
        """See Splitter."""
        return _holdout_rows(self.strata, size, self.rng, self.classification)

    def most_folds(self, kept: np.ndarray) -> int:
        """See Splitter."""
        return len(kept)

    def deal(self, kept: np.ndarray, folds: int) -> np.ndarray:
        """See Splitter."""
        return deal_folds(self.strata[kept], folds, self.rng)

    def say(self, held: np.ndarray, kept: np.ndarray, folds: int) -> list[str]:
        """See Splitter."""
        what = "each class" if self.classification else "low and high targets"
        return [f"Rows were split by chance, {what} in fair shares."]

    def warnings(self, held: np.ndarray, kept: np.ndarray) -> list[dict[str, str]]:
        """See Splitter."""
        return []


def deal_folds(strata: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """(n,) fold numbers: each stratum shuffled and dealt round the folds, the next going on where the last stopped.

    So fold sizes differ by one at most, and a class with fewer rows than folds simply misses some folds.
    """
    order = np.concatenate([rng.permutation(np.flatnonzero(strata == stratum)) for stratum in np.unique(strata)])
    numbers = np.empty(len(strata), dtype=np.int64)
    numbers[order] = np.arange(len(strata)) % folds
    return numbers


def _holdout_size(rows: int, fraction: float | None) -> int:
    if fraction is None:
        return int(min(max(round(_HOLDOUT * rows), 2), _HOLDOUT_CAP))
    if not 0.0 <= fraction <= 0.5:
        raise ToolkitError("REQUEST_INVALID", f"holdoutFraction is {fraction}", "Choose a share from 0 to 0.5.")
    return max(round(fraction * rows), 2) if fraction else 0


def _holdout_rows(strata: np.ndarray, size: int, rng: np.random.Generator, classification: bool) -> np.ndarray:
    """Sorted positions of the holdout: each stratum's fair share, by largest remainder, and never its only row."""
    values, counts = np.unique(strata, return_counts=True)
    share = counts * (size / len(strata))
    take = np.floor(share).astype(int)
    # A class must stay in the training rows, or no model can ever name it.
    most = counts - 1 if classification else counts
    take = np.minimum(take, most)
    for position in np.argsort(-(share - take), kind="stable"):
        if take.sum() >= size:
            break
        if take[position] < most[position]:
            take[position] += 1
    chosen = [
        rng.permutation(np.flatnonzero(strata == value))[:amount] for value, amount in zip(values, take, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def _fold_count(rows: int, y: np.ndarray | None, requested: int | None) -> int:
    """8 folds; 5 below 60 rows; fewer on big data, where each fold is costly and its score already sure."""
    if requested is not None:
        if not 2 <= requested <= 20:
            raise ToolkitError("REQUEST_INVALID", f"folds is {requested}", "Choose from 2 to 20 folds.")
        folds = requested
    elif rows < 60:
        folds = 5
    elif rows <= _MANY_ROWS:
        folds = 8
    else:
        folds = 4 if rows <= 200_000 else 3
    if y is not None and len(np.unique(y)) == 2:
        # A fold of one class has no ROC AUC: with few rows of a class, have no more folds than it has rows.
        folds = min(folds, max(int(np.bincount(y).min()), 2))
    return max(min(folds, rows // 2), 2)


def _affordable_folds(folds: int, rows: int, columns: int, seconds: float | None) -> int:
    """Fewer, down to 2, where rows are many and so many fits of one booster would take more than a third of the job's time."""
    if seconds is None or rows <= _MANY_ROWS:
        return folds
    fit_seconds = rows * columns / _CELLS_FITTED_PER_SECOND
    return int(min(max(seconds / 3 / fit_seconds, 2), folds))


def _quantile_bins(y: np.ndarray) -> np.ndarray:
    """(n,) which tenth of the sorted target each row is in; fewer bins when rows are few."""
    bins = int(min(max(len(y) // 20, 1), _BINS))
    edges = np.quantile(y, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, y, side="right")


def _warnings(held: int) -> list[dict[str, str]]:
    if held == 0:
        return [{"code": "NO_HOLDOUT", "message": "no rows are sealed, as asked: the score will be that of validation"}]
    if held < 30:
        return [{"code": "HOLDOUT_TINY", "message": f"{held} holdout rows: the holdout score is a rough hint"}]
    return []


def _of_classes(y: np.ndarray, held: np.ndarray, kept: np.ndarray, folds: np.ndarray) -> list[dict[str, str]]:
    """Classes that the holdout, training, or some of its folds do without."""
    found = []
    width = int(y.max()) + 1
    counts = np.bincount(folds * width + y[kept], minlength=(folds.max() + 1) * width).reshape(-1, width)
    rare = int(((counts == 0).any(axis=0) & (counts > 0).any(axis=0)).sum())
    if rare:
        what = f"{rare} classes have" if rare > 1 else "one class has"
        found.append({"code": "RARE_CLASSES", "message": f"{what} no row in some of the folds"})
    if len(np.unique(y[held])) == 1:
        message = "all sealed rows are of one class: what tells classes apart, as ROC AUC does, can't be scored on them"
        found.append({"code": "HOLDOUT_ONE_CLASS", "message": message})
    unseen = len(np.setdiff1d(y[held], y[kept]))
    if unseen:
        what = f"{unseen} classes stand" if unseen > 1 else "one class stands"
        found.append({"code": "CLASS_ONLY_SEALED", "message": f"{what} in sealed rows alone: no model can have learnt it"})
    return found
