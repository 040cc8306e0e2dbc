"""`ensemble`: greedy selection with replacement (Caruana et al., 2004) on the trials' out-of-fold scores.

Trials are picked by how they do on the same rows the ensemble is then scored on, so its score is slightly optimistic:
a few hundredths of the gap between trials, more on small data. The holdout score is not.

Of few rows the selection picks what is best by chance. There it is made on many halves of them, and the mean of what they pick is
drawn towards the mean of all trials as far as pays on the other halves; and back towards one selection on all rows as far as needed to
score no worse than the best trial, which its own luck would else put first. Sealed rows of two splits each, AUC: credit_g .795 and .776
for .792 and .771 of one selection, titanic .888 and .881 for .887 and .880, churn .926 and .943 for .925 and .943; log loss of car
.0048 for .0055. On vehicle, abalone, moneyball, telco and wine it changes next to nothing.

For a label metric trials are picked by log loss, and the rule for labels is chosen after (see label_rule). Label metrics jump
with single rows, and a selection that follows them does worse on new rows: in 17 of 24 comparisons (four metrics on six
tables), by 0.004 on average; one that follows the metric under the rule best for each mean does so in 16, by 0.003.
"""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from . import workspace
from .calibration import find_sharpening, sharpened
from .label_rule import LabelRule, find_rule, weighed_oof
from .metrics import LABEL_METRICS, metric_of, score, utility
from .sampling import evenly_spaced, target_order
from .split import deal_folds
from .stacking import weighed_answers
from .wire import ToolkitError, emit_progress

_SORTING = frozenset({"ROC_AUC", "PR_AUC"})
# Microseconds that a metric takes per row and class, about, and what all of a selection's scores may take.
_MICROS, _SORTING_MICROS, _SELECTION_MICROS = 0.02, 0.2, 5e6
# However many trials and classes: so many rows times classes, and so many rows, choose.
_FEWEST_CELLS, _FEWEST_ROWS = 40_000, 2_000

# Up to so many rows halves of them choose: pairs of halves, in so many rounds each, and what all of them may take in microseconds.
_FEW_ROWS, _FEWEST_PAIRS, _MOST_PAIRS, _HALF_ROUNDS, _HALVES_MICROS = 5_000, 2, 5, 20, 1.5e6
# What the mean of all trials may count in theirs.
_SHARES_OF_ALL = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# And what one selection on all rows may.
_SHARES_OF_ONE = (0.0, 0.25, 0.5, 0.75)
# A member of less weight than this is not worth its answer.
_LEAST_WEIGHT = 0.01

_NOTE = "members were chosen on the same out-of-fold rows as this score, which is therefore slightly optimistic"


@dataclass
class EnsembleModel:
    """Trials by weight. The weights are positive and sum to 1; members are read from the job's folder, once, when needed.

    temperature: see calibration; 1 leaves the mean as it is.
    """

    weights: dict[str, float]
    temperature: float = 1.0
    _members: dict[str, workspace.Scorer] = field(default_factory=dict, repr=False, compare=False)

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        """(n, n_classes) probabilities or (n,) values."""
        members = [(weight, workspace.load_scorer(trial_id, self._members)) for trial_id, weight in self.weights.items()]
        return sharpened(weighed_answers(members, X), self.temperature)

    def __getstate__(self) -> dict[str, Any]:
        # The members' own files stay the only copy.
        return self.__dict__ | {"_members": {}}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve an `ensemble` request: see PROTOCOL.md."""
    started = time.monotonic()
    profile = workspace.load_profile()
    train, folds = workspace.load_train(), workspace.load_folds()
    trials = _members(request["trialIds"])
    if any(trial["family"] != "BASELINE" for trial in trials.values()):
        # A constant can only move the others towards the mean, and its fold-wise constants betray the folds.
        trials = {trial_id: trial for trial_id, trial in trials.items() if trial["family"] != "BASELINE"}
    oofs = [workspace.load_oof(trial_id) for trial_id in trials]
    metric = metric_of(profile)
    rounds = int(request.get("rounds") or 40)
    shares = choose_weights(oofs, train.y, "LOG_LOSS" if metric in LABEL_METRICS else metric, rounds)
    weights = {trial_id: float(share) for trial_id, share in zip(trials, shares, strict=True) if share > 0}
    oof, model, rule = assemble(weights)
    decisive = weighed_oof(rule, oof, folds)
    notes = [_NOTE]
    if model.temperature < 1.0:
        notes.append(f"its probabilities are sharpened: temperature {model.temperature:.3f}")
    if rule is not None:
        notes.append(rule.note([str(entry["label"]) for entry in profile["classes"]]))
    result = {
        "trialId": request["trialId"],
        "family": "ENSEMBLE",
        "score": score(metric, train.y, decisive),
        "foldScores": [score(metric, train.y[folds == fold], decisive[folds == fold]) for fold in np.unique(folds)],
        "fitSeconds": round(time.monotonic() - started, 3),
        "predictMicrosPerRow": round(_micros_per_row(list(weights)), 2),
        "weights": weights,
        "temperature": model.temperature,
        "parameters": {"rounds": rounds, "weights": weights},
        "notes": notes,
        "rule": rule.to_json() if rule else None,
    }
    workspace.save_trial(request["trialId"], workspace.Trial(result, oof, model))
    emit_progress(1.0, f"{len(weights)} of {len(trials)} trials chosen: {result['score']:.6g}")
    return result | {"modelBytes": sum(workspace.model_bytes(part) for part in workspace.parts_of(weights))}


def assemble(weights: dict[str, float]) -> tuple[np.ndarray, EnsembleModel, LabelRule | None]:
    """The ensemble of these trials: its out-of-fold scores, (n, n_classes) or (n,), its model, and its rule for labels."""
    oof = np.sum([weight * workspace.load_oof(trial_id) for trial_id, weight in weights.items()], axis=0)
    metric, y, folds = metric_of(workspace.load_profile()), workspace.load_train().y, workspace.load_folds()
    sharpening = find_sharpening(metric, y, oof, folds)
    rule = find_rule(metric, y, sharpening.oof, folds)
    return sharpening.oof, EnsembleModel(weights, sharpening.temperature), rule


def choose_weights(oofs: list[np.ndarray], y: np.ndarray, metric: str, rounds: int) -> np.ndarray:
    """(trials,) weights that sum to 1: by one greedy selection, of few rows by many on halves of them."""
    counts = greedy_selection(oofs, y, metric, rounds)
    greedy = counts / counts.sum()
    pairs = int(_HALVES_MICROS / (len(y) * len(oofs) * _HALF_ROUNDS * _micros_of_score(oofs, metric)))
    if len(y) > _FEW_ROWS or len(oofs) < 2 or pairs < _FEWEST_PAIRS or metric in _SORTING and np.bincount(y).min() < 2:
        return greedy
    rng, alike = np.random.default_rng(0), np.full(len(oofs), 1.0 / len(oofs))
    strata = y if np.issubdtype(y.dtype, np.integer) else np.zeros(len(y), dtype=int)
    chosen, gains = np.zeros(len(oofs)), np.zeros(len(_SHARES_OF_ALL))
    for _ in range(min(pairs, _MOST_PAIRS)):
        halves = deal_folds(strata, 2, rng)
        for half in (0, 1):
            here, there = halves == half, halves != half
            counts = greedy_selection([oof[here] for oof in oofs], y[here], metric, _HALF_ROUNDS)
            picked, others = counts / counts.sum(), [oof[there] for oof in oofs]
            gains += [utility(metric, y[there], _mean(others, _drawn(picked, alike, share))) for share in _SHARES_OF_ALL]
            chosen += picked
    # Of equals the fewest members.
    weights = _drawn(chosen / chosen.sum(), alike, _SHARES_OF_ALL[int(np.argmax(gains))])
    least = max(utility(metric, y, oof) for oof in oofs)
    for share in _SHARES_OF_ONE:
        mixed = _drawn(weights, greedy, share)
        mixed[mixed < min(_LEAST_WEIGHT, mixed.max())] = 0.0
        mixed /= mixed.sum()
        if utility(metric, y, _mean(oofs, mixed)) >= least:
            return mixed
    return greedy


def _drawn(weights: np.ndarray, towards: np.ndarray, share: float) -> np.ndarray:
    return (1.0 - share) * weights + share * towards


def _mean(oofs: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.sum([weight * oof for weight, oof in zip(weights, oofs, strict=True) if weight > 0], axis=0)


def greedy_selection(oofs: list[np.ndarray], y: np.ndarray, metric: str, rounds: int) -> np.ndarray:
    """(trials,) how often each was picked. Each round adds the trial that helps the mean most, repeats allowed; the
    selection is cut after the round that scored best, ties to the fewest members.

    Of many rows a part decides: as many as take some five seconds on one core.
    """
    rows = _deciding_rows(oofs, y, metric, rounds)
    if rows is not None:
        oofs, y = [oof[rows] for oof in oofs], y[rows]
    total = np.zeros_like(oofs[0])
    picks: list[int] = []
    history: list[float] = []
    for turn in range(rounds):
        values = [utility(metric, y, (total + oof) / (turn + 1)) for oof in oofs]
        best = int(np.argmax(values))
        picks.append(best)
        history.append(values[best])
        total = total + oofs[best]
    kept = picks[: int(np.argmax(history)) + 1]
    return np.bincount(kept, minlength=len(oofs))


def _deciding_rows(oofs: list[np.ndarray], y: np.ndarray, metric: str, rounds: int) -> np.ndarray | None:
    """Positions of the rows that selection is by; None: all."""
    classes = oofs[0].shape[1] if oofs[0].ndim == 2 else 1
    sorts, micros = metric in _SORTING, _micros_of_score(oofs, metric)
    most = int(max(_SELECTION_MICROS / (len(oofs) * rounds * micros), _FEWEST_CELLS / max(classes, 2), _FEWEST_ROWS))
    if len(y) <= most:
        return None
    order = target_order(y, 0)
    if not sorts:
        return np.sort(order[evenly_spaced(len(y), most)])
    # What is ranked is told by the rarer class: of each, half an equal part or its share, whichever is more.
    counts = np.bincount(y)
    shares = np.maximum(counts * (most / len(y)), np.minimum(counts, most / (2 * len(counts)))).astype(int)
    ends = np.cumsum(counts)
    return np.sort(
        np.concatenate([order[end - count + evenly_spaced(count, share)] for end, count, share in zip(ends, counts, shares)])
    )


def _micros_per_row(trial_ids: list[str]) -> float:
    """What an answer to a row takes: a model of the first layer is asked once, whoever learns from it."""
    results = {part: workspace.load_result(part) for part in workspace.parts_of(trial_ids)}
    # What is told of a trial of the second layer holds what those that it learns from take.
    told = sum(result["predictMicrosPerRow"] for result in results.values())
    return told - sum(results[base]["predictMicrosPerRow"] for result in results.values() for base in workspace.bases_of(result))


def _micros_of_score(oofs: list[np.ndarray], metric: str) -> float:
    """What the metric of one trial's scores takes per row, about."""
    classes = oofs[0].shape[1] if oofs[0].ndim == 2 else 1
    if metric not in _SORTING:
        return _MICROS * classes
    # Of two classes one is sorted.
    return _SORTING_MICROS * (1 if classes == 2 else classes)


def _members(trial_ids: list[str]) -> dict[str, dict[str, Any]]:
    """The trials' results by id, in the order given. Ensembles can't be members: their weights would hide their members'."""
    if not trial_ids:
        raise ToolkitError("REQUEST_INVALID", "an ensemble needs at least one trial", "Give the ids of finished trials.")
    trials = {trial_id: workspace.load_result(trial_id) for trial_id in dict.fromkeys(trial_ids)}
    nested = [trial_id for trial_id, trial in trials.items() if trial["family"] == "ENSEMBLE"]
    if nested:
        raise ToolkitError(
            "REQUEST_INVALID", f"{', '.join(nested)} is an ensemble itself", "Give the ids of single trials."
        )
    return trials
