"""`split`: seal a holdout away before anything learns, and deal the rest into folds."""

from typing import Any

import numpy as np

from . import workspace
from .wire import ToolkitError, emit_progress

_HOLDOUT = 0.2
_HOLDOUT_CAP = 50_000
_BINS = 10


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `split` request: see PROTOCOL.md."""
    table = workspace.load_table()
    profile = workspace.load_profile()
    classification = profile["task"] != "REGRESSION"
    rng = np.random.default_rng(int(request.get("seed") or 0))
    strata = table.y if classification else _quantile_bins(table.y)

    held = _holdout_rows(strata, _holdout_size(len(table), request.get("holdoutFraction")), rng, classification)
    kept = np.setdiff1d(np.arange(len(table)), held)
    folds = _fold_count(len(kept), table.y[kept] if classification else None, request.get("folds"))
    numbers = deal_folds(strata[kept], folds, rng)

    workspace.save_pickle(workspace.HOLDOUT, table.take(held))
    workspace.save_pickle(workspace.TRAIN, table.take(kept))
    workspace.save_array(workspace.FOLDS, numbers)
    emit_progress(1.0, f"{len(kept):,} rows in {folds} folds, {len(held):,} rows sealed")
    workspace.save_json(workspace.SPLIT, {"request": request})
    return {
        "trainRows": len(kept),
        "holdoutRows": len(held),
        "folds": folds,
        "stratified": True,
        "warnings": _warnings(len(held), table.y[kept] if classification else None, folds),
    }


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
    elif rows <= 50_000:
        folds = 8
    else:
        folds = 4 if rows <= 200_000 else 3
    if y is not None and len(np.unique(y)) == 2:
        # A fold of one class has no ROC AUC: with few rows of a class, have no more folds than it has rows.
        folds = min(folds, max(int(np.bincount(y).min()), 2))
    return max(min(folds, rows // 2), 2)


def _quantile_bins(y: np.ndarray) -> np.ndarray:
    """(n,) which tenth of the sorted target each row is in; fewer bins when rows are few."""
    bins = int(min(max(len(y) // 20, 1), _BINS))
    edges = np.quantile(y, np.linspace(0, 1, bins + 1)[1:-1])
    return np.searchsorted(edges, y, side="right")


def _warnings(held: int, y: np.ndarray | None, folds: int) -> list[dict[str, Any]]:
    found = []
    if held == 0:
        found.append({"code": "NO_HOLDOUT", "message": "no rows are sealed, as asked: the score will be that of validation"})
    elif held < 30:
        found.append({"code": "HOLDOUT_TINY", "message": f"{held} holdout rows: the holdout score is a rough hint"})
    if y is not None:
        counts = np.bincount(y)
        rare = int(((counts > 0) & (counts < folds)).sum())
        if rare:
            found.append(
                {"code": "RARE_CLASSES", "message": f"{rare} classes have fewer rows than folds: some folds miss them"}
            )
    return found
