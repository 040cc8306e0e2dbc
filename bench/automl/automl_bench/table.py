"""Results as text: a table per dataset and budget, and one over all datasets."""

import math
from dataclasses import dataclass

import numpy as np

from .compare import outcome, ranks, signed_rank_test
from .score import is_lower_better


@dataclass(frozen=True)
class Row:
    """One system on one dataset: `mean` is null unless every fold was scored; `scores` are in the order of the folds."""

    system: str
    scores: list[float | None]
    mean: float | None
    records: list[dict]


@dataclass(frozen=True)
class Group:
    """One dataset with one budget, over the folds that every system has a line for."""

    dataset: str
    metric: str
    budget_seconds: float
    folds: int
    used: list[int]
    rows: list[Row]


def groups_of(records: list[dict], systems: list[str], datasets: list[str], folds: int) -> list[Group]:
    """The lines of these systems and datasets at this number of folds, by dataset and budget."""
    chosen = [r for r in records if r["system"] in systems and r["dataset"] in datasets and r["folds"] == folds]
    groups = []
    for budget in sorted({r["budget_seconds"] for r in chosen}):
        for dataset in datasets:
            here = {
                (r["system"], r["fold"]): r for r in chosen if (r["dataset"], r["budget_seconds"]) == (dataset, budget)
            }
            present = [name for name in systems if any(system == name for system, _ in here)]
            used = [fold for fold in range(folds) if present and all((name, fold) in here for name in present)]
            if not used:
                continue
            rows = [_row(name, [here[name, fold] for fold in used]) for name in present]
            groups.append(Group(dataset, rows[0].records[0]["metric"], budget, folds, used, rows))
    return groups


def _row(system: str, records: list[dict]) -> Row:
    scores = [record["score"] for record in records]
    mean = None if None in scores else float(np.mean(scores))
    return Row(system, scores, mean, records)


def dataset_table(group: Group, ours: str) -> str:
    """Metric mean and std over folds, rank, what ours is against each, seconds, memory, size and speed."""
    lower = is_lower_better(group.metric)
    our_row = next((row for row in group.rows if row.system == ours), None)
    lines = []
    for row, rank in zip(group.rows, ranks([row.mean for row in group.rows], lower), strict=True):
        scored = [score for score in row.scores if score is not None]
        lines.append([
            row.system,
            _number(np.mean(scored) if scored else None, 4),
            _number(np.std(scored, ddof=1) if len(scored) > 1 else None, 4),
            f"{rank:g}",
            _against(our_row, row, group, lower),
            _number(_mean(row, "train_seconds"), 1),
            _number(_most(row, "peak_memory_bytes", 1e6), 0),
            _number(_mean(row, "model_bytes", 1e6), 2),
            _number(_mean(row, "predict_micros_per_row"), 0),
            _failures(row),
        ])  # fmt: skip
    title = f"{group.dataset}, {group.metric} ({'lower' if lower else 'higher'} is better), {_terms(group)}"
    header = ["system", "mean", "std", "rank", "ours", "train s", "peak MB", "model MB", "us/row", "failed"]
    return _text(title, header, lines)


def summary_table(groups: list[Group], ours: str) -> str:
    """Per system: mean rank over datasets, ours' wins, ties and losses by the corrected t-test, and Wilcoxon over datasets.

    A dataset where one of two failed on a fold is left out of their comparison, and counts in the mean rank as last.
    """
    names = list(dict.fromkeys(row.system for group in groups for row in group.rows))
    lines = []
    for name in names:
        own_ranks, pairs = [], []
        for group in groups:
            lower = is_lower_better(group.metric)
            by_name = {row.system: row for row in group.rows}
            if name not in by_name:
                continue
            rank_of = dict(zip(by_name, ranks([row.mean for row in group.rows], lower), strict=True))
            own_ranks.append(rank_of[name])
            mine, other = by_name.get(ours), by_name[name]
            if name != ours and mine and mine.mean is not None and other.mean is not None:
                pairs.append((mine, other, group.folds, lower))
        lines.append([name, f"{np.mean(own_ranks):.2f}", str(len(own_ranks)), *_versus(pairs)])
    title = f"all datasets, budget {groups[0].budget_seconds:g} s; wins, ties and losses are those of {ours}"
    return _text(title, ["system", "mean rank", "datasets", "wins", "ties", "losses", "better on", "wilcoxon p"], lines)


def _versus(pairs: list[tuple[Row, Row, int, bool]]) -> list[str]:
    if not pairs:
        return [""] * 5
    outcomes = [outcome(np.array(m.scores), np.array(o.scores), folds, lower)[0] for m, o, folds, lower in pairs]
    mine, theirs = (np.array([pair[side].mean for pair in pairs]) for side in (0, 1))
    lower = np.array([pair[3] for pair in pairs])
    better = int(np.where(lower, mine < theirs, mine > theirs).sum())
    p = signed_rank_test(mine, theirs, lower)
    return [*(str(outcomes.count(kind)) for kind in ("win", "tie", "loss")), f"{better} of {len(pairs)}", _number(p, 3)]


def _against(mine: Row | None, row: Row, group: Group, lower: bool) -> str:
    if mine is None or row is mine:
        return ""
    if mine.mean is None or row.mean is None:
        return "-"
    kind, p = outcome(np.array(mine.scores), np.array(row.scores), group.folds, lower)
    return kind if math.isnan(p) else f"{kind} p={p:.3f}"


def _terms(group: Group) -> str:
    part = "" if len(group.used) == group.folds else f"{len(group.used)} of "
    return f"{part}{group.folds} folds, budget {group.budget_seconds:g} s"


def _values(row: Row, name: str, unit: float) -> list[float]:
    return [record[name] / unit for record in row.records if record[name] is not None]


def _mean(row: Row, name: str, unit: float = 1) -> float | None:
    values = _values(row, name, unit)
    return float(np.mean(values)) if values else None


def _most(row: Row, name: str, unit: float) -> float | None:
    return max(_values(row, name, unit), default=None)


def _failures(row: Row) -> str:
    codes = [record["error"]["code"] for record in row.records if record["error"]]
    return f"{len(codes)}: {', '.join(sorted(set(codes)))}" if codes else ""


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def _text(title: str, header: list[str], lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        return "  ".join([cells[0].ljust(widths[0]), *padded[1:]]).rstrip()

    return "\n".join([title, line(header), "  ".join("-" * width for width in widths), *map(line, lines)])
