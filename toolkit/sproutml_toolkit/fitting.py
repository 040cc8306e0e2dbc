"""One fit of one configuration: on all rows but those held, with the target as the family can learn it."""

import traceback
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import workspace
from .families import baseline
from .families.fold import Fold, FoldModel
from .inner_split import kept_whole
from .sampling import sample_of_fold
from .wire import ToolkitError, emit_log

# A target this many of its own deviations from 0 has lost three of single precision's seven digits.
_FAR_FROM_ZERO = 1_000.0
# Standard deviations of a target that need no scaling. LightGBM takes a gain below 1e-15 for none.
_SPREADS = (1e-3, 1e6)


@dataclass
class Fitted:
    """A fit, the parameters it ended with, and how many rows it learnt from."""

    model: FoldModel
    parameters: dict[str, Any]
    notes: list[str]
    rows: int


def fit_part(
    module: Any, parameters: dict[str, Any], train: workspace.Table, held: np.ndarray, base: Fold, what: str
) -> Fitted:
    """Fit a family on the rows of `train` that the mask `held` (n,) leaves; the held ones may steer early stopping.

    `what` names the fit in a TRIAL_FAILED, which is raised where the family's library refuses it.
    """
    # A constant has nothing to overfit, and constants that differ by fold would betray the folds: each lacks just what its
    # held rows have more of, so that a ranking over all folds comes out below chance.
    fold, present = compact(base, train, held, everything=module is baseline)
    logarithm = base.metric == "RMSLE" and module is not baseline
    if logarithm:
        fold = replace(fold, y_train=np.log1p(fold.y_train), y_valid=np.log1p(fold.y_valid), metric="RMSE")
    fold, offset, scale = (fold, 0.0, 1.0) if module is baseline else _to_scale(fold)
    if present is not None and len(present) == 1 or len(fold.y_valid) == 0 and not fold.exact:
        # One class alone can't be told from another, and nothing to validate on can't stop a booster.
        module, parameters = baseline, {}
    try:
        encoder, estimator, effective = module.fit(fold, dict(parameters))
    except (ToolkitError, MemoryError):
        raise
    except Exception as error:
        # A library refused this configuration on this data: the trial fails, the job goes on.
        emit_log("ERROR", "".join(traceback.format_exception(error))[-2_000:])
        raise ToolkitError(
            "TRIAL_FAILED", f"{what}: {type(error).__name__}: {error}", "Try other parameters or another family."
        ) from error
    model = FoldModel(
        encoder=encoder,
        estimator=estimator,
        n_classes=base.n_classes if present is not None else None,
        present=present,
        absent_probability=0.5 / (len(fold.y_train) + base.n_classes),
        logarithm=logarithm,
        offset=offset,
        scale=scale,
    )
    return Fitted(model, effective, fold.notes, len(fold.y_train))


def _to_scale(fold: Fold) -> tuple[Fold, float, float]:
    """The fold with a target that single precision, in which boosters keep it, can hold; its offset and its scale."""
    if fold.is_classification:
        return fold, 0.0, 1.0
    centre, spread = float(np.median(fold.y_train)), float(fold.y_train.std())
    is_far = abs(centre) > _FAR_FROM_ZERO * spread
    if spread == 0.0 or not is_far and _SPREADS[0] <= spread <= _SPREADS[1]:
        return fold, 0.0, 1.0
    offset = centre if is_far else 0.0
    # Relative errors of values that all lie together far from 0 are absolute ones over a constant.
    metric = "MAE" if is_far and fold.metric == "MAPE" else fold.metric
    y_train, y_valid = ((y - offset) / spread for y in (fold.y_train, fold.y_valid))
    return replace(fold, y_train=y_train, y_valid=y_valid, metric=metric), offset, spread


def compact(
    base: Fold, train: workspace.Table, held: np.ndarray, everything: bool = False
) -> tuple[Fold, np.ndarray | None]:
    """The fold with class numbers that training has, 0..m-1, and which of the task's classes those are.

    everything: train on the held rows too.
    """
    fitted = np.ones_like(held) if everything else ~held
    notes: list[str] = []
    if base.most_rows is not None and not everything and fitted.sum() > base.most_rows:
        classes = None if base.task == "REGRESSION" else train.y
        rows, (fitted, held) = fitted.sum(), sample_of_fold(held, base.most_rows, base.seed, classes)
        notes.append(f"for want of time it learnt from {fitted.sum():,} of a fold's {rows:,} training rows")
    X_train, y_train = train.X[fitted], train.y[fitted]
    X_valid, y_valid = train.X[held], train.y[held]
    whole = kept_whole(train)
    base = replace(base, groups=None if whole is None else whole[fitted], notes=notes)
    if base.task == "REGRESSION":
        return replace(base, X_train=X_train, y_train=y_train, X_valid=X_valid, y_valid=y_valid), None
    present = np.unique(y_train)
    known = np.isin(y_valid, present)
    task = "MULTICLASS" if base.task == "MULTICLASS" and len(present) > 2 else "BINARY"
    metric = base.metric if task == base.task else "LOG_LOSS"
    fold = replace(
        base,
        X_train=X_train,
        y_train=np.searchsorted(present, y_train),
        X_valid=X_valid[known],
        y_valid=np.searchsorted(present, y_valid[known]),
        n_classes=len(present),
        task=task,
        metric=metric,
    )
    return fold, present
