"""What a classifier gets right and wrong: confusion matrix, ROC, precision-recall and calibration.

Everywhere `y` is (n,) class codes 0..k-1 and `probabilities` is (n, k); `rows` says in words which rows these are.
"""

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from .svg import ACCENT, CLASS_COLOURS, INK, MUTED, Plot, axes, label, to_svg

_MOST_CLASSES_IN_MATRIX = 15
_MOST_LINES = 6
_MOST_POINTS_IN_LINE = 400


def confusion_matrix(y: np.ndarray, predicted: np.ndarray, classes: list[str], rows: str) -> Plot:
    """Counts of actual (rows) against predicted (columns), shaded by the share of the actual class."""
    shown, names = _gather_rare_classes(y, classes)
    position = np.full(len(classes), len(names) - 1)
    position[shown] = np.arange(len(shown))
    size = len(names)
    counts = np.zeros((size, size), dtype=int)
    np.add.at(counts, (position[y], position[predicted]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = float(np.mean(y == predicted))

    side = min(5.6, 2.6 + 0.42 * size)
    with axes(max(4.2, side + 0.6), max(3.2, side)) as (figure, subplot):
        subplot.grid(visible=False)
        for spine in subplot.spines.values():
            spine.set_visible(False)
        for row in range(size):
            for column in range(size):
                value = share[row, column]
                subplot.fill(
                    [column - 0.48, column + 0.48, column + 0.48, column - 0.48],
                    [row - 0.48, row - 0.48, row + 0.48, row + 0.48],
                    facecolor=_cell_colour(row, column, len(shown)),
                    alpha=0.05 + 0.5 * value,  # never so strong that the number on it is hard to read, light or dark
                    linewidth=0,
                )
                if counts[row, column] or size <= 8:
                    text = f"{counts[row, column]:,}" + (f"\n{_percent(value)}" if size <= 6 else "")
                    subplot.text(column, row, text, ha="center", va="center", color=INK[0], fontsize=9.5 if size <= 8 else 7)
        labels = [label(name, 14) for name in names]
        crowded = size > 4 or max(map(len, labels)) > 9
        subplot.set_xticks(range(size), labels, rotation=35 if crowded else 0, ha="right" if crowded else "center")
        subplot.set_yticks(range(size), labels)
        subplot.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xlabel="predicted", ylabel="actual")
        subplot.set_aspect("equal")
        alt = f"Confusion matrix of {len(y):,} {rows}: {right:.1%} right. " + _worst_confusion(counts, names)
        svg = to_svg(figure, "confusion-matrix", "Confusion matrix", alt)
    reading = (
        f"Each line is what {rows} really are, each column what the model says. Green is right, orange is wrong; "
        "the percentage is the share of that line."
    )
    return Plot("confusion-matrix", "Confusion matrix", reading, alt, svg)


def roc_curves(y: np.ndarray, probabilities: np.ndarray, classes: list[str], rows: str) -> Plot | None:
    """True against false positive rate; one-vs-rest per class when there are more than two. None with no curve to draw."""
    with axes(5.2, 4.2) as (figure, subplot):
        subplot.plot([0, 1], [0, 1], color=MUTED[0], linewidth=1, linestyle=(0, (4, 4)))
        areas = []
        for code, colour in _drawn_classes(y, len(classes)):
            positive = y == code
            if positive.all() or not positive.any():
                continue
            false_rate, true_rate, _ = roc_curve(positive, probabilities[:, code])
            area = roc_auc_score(positive, probabilities[:, code])
            keep = _thin(len(false_rate))
            name = label(classes[code])
            subplot.plot(false_rate[keep], true_rate[keep], color=colour, label=f"{name}: {_three_decimals(area)}")
            areas.append(f"{name} {_three_decimals(area)}")
        if not areas:
            return None
        subplot.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel="false positive rate", ylabel="true positive rate")
        subplot.legend(loc="lower right", title="class: area under curve", title_fontsize=8.5)
        alt = f"ROC curve on {len(y):,} {rows}. Area under the curve: {', '.join(areas)}; guessing is 0.5."
        svg = to_svg(figure, "roc-curve", "ROC curve", alt)
    reading = "The closer a line comes to the top left corner, the better the model tells the classes apart; the dashes are guessing."
    return Plot("roc-curve", "ROC curve", reading, alt, svg)


def precision_recall_curves(y: np.ndarray, probabilities: np.ndarray, classes: list[str], rows: str) -> Plot | None:
    """Precision against recall, one-vs-rest per class when there are more than two. None with no curve to draw."""
    with axes(5.2, 4.2) as (figure, subplot):
        areas = []
        for code, colour in _drawn_classes(y, len(classes)):
            positive = y == code
            if positive.all() or not positive.any():
                continue
            precision, recall, _ = precision_recall_curve(positive, probabilities[:, code])
            area = average_precision_score(positive, probabilities[:, code])
            keep = _thin(len(recall))
            name = label(classes[code])
            subplot.plot(recall[keep], precision[keep], color=colour, label=f"{name}: {_three_decimals(area)}")
            subplot.axhline(positive.mean(), color=colour, linewidth=1, linestyle=(0, (2, 4)), alpha=0.8)
            areas.append(f"{name} {_three_decimals(area)} (share of rows {positive.mean():.3f})")
        if not areas:
            return None
        subplot.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03), xlabel="recall", ylabel="precision")
        subplot.legend(loc="lower left", title="class: average precision", title_fontsize=8.5)
        alt = f"Precision-recall curve on {len(y):,} {rows}. Average precision: {', '.join(areas)}."
        svg = to_svg(figure, "precision-recall", "Precision and recall", alt)
    reading = "To find more of a class (right) some of what is flagged will be wrong (down); the dots are flagging everything."
    return Plot("precision-recall", "Precision and recall", reading, alt, svg)


def calibration(y: np.ndarray, probabilities: np.ndarray, classes: list[str], rows: str) -> Plot | None:
    """Said probability against how often it was so, in bins of equal count. None when there are too few rows."""
    bins = int(np.clip(len(y) // 30, 0, 10))
    if bins < 3:
        return None
    with axes(5.2, 4.2) as (figure, subplot):
        subplot.plot([0, 1], [0, 1], color=MUTED[0], linewidth=1, linestyle=(0, (4, 4)))
        gaps = []
        for code, colour in _drawn_classes(y, len(classes)):
            said, happened, weight = reliability(y == code, probabilities[:, code], bins)
            name = label(classes[code])
            subplot.plot(said, happened, color=colour, marker="o", markersize=5, label=name)
            gaps.append((float(np.sum(np.abs(said - happened) * weight)), name))
        subplot.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="probability the model says", ylabel="how often it is so")
        if len(gaps) > 1:
            subplot.legend(loc="upper left")
        worst, worst_name = max(gaps)
        alt = f"Calibration on {len(y):,} {rows}: said and real probability differ by {worst:.3f} on average for {worst_name}."
        svg = to_svg(figure, "calibration", "Calibration", alt)
    reading = "On the dashes, what the model calls 70% happens 70 times in 100; below them it is too sure, above too shy."
    return Plot("calibration", "Calibration", reading, alt, svg)


def reliability(positive: np.ndarray, probability: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean said probability, observed share and share of rows, per bin of equal count; each array is (<= bins,)."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    which = np.searchsorted(edges, probability, side="right")
    count = np.bincount(which, minlength=len(edges) + 1)
    filled = count > 0
    said = np.bincount(which, weights=probability, minlength=len(count))[filled] / count[filled]
    happened = np.bincount(which, weights=positive.astype(float), minlength=len(count))[filled] / count[filled]
    return said, happened, count[filled] / count.sum()


def _drawn_classes(y: np.ndarray, classes: int) -> list[tuple[int, str]]:
    """Of two classes the positive one tells all; of many, the commonest."""
    if classes == 2:
        return [(1, ACCENT[0])]
    commonest = np.argsort(-np.bincount(y, minlength=classes), kind="stable")[:_MOST_LINES]
    return list(zip(sorted(commonest.tolist()), CLASS_COLOURS, strict=False))


def _gather_rare_classes(y: np.ndarray, classes: list[str]) -> tuple[np.ndarray, list[str]]:
    if len(classes) <= _MOST_CLASSES_IN_MATRIX:
        return np.arange(len(classes)), list(classes)
    commonest = np.argsort(-np.bincount(y, minlength=len(classes)), kind="stable")[: _MOST_CLASSES_IN_MATRIX - 1]
    shown = np.sort(commonest)
    return shown, [classes[code] for code in shown] + [f"{len(classes) - len(shown)} others"]


def _worst_confusion(counts: np.ndarray, names: list[str]) -> str:
    wrong = counts * (1 - np.eye(len(counts), dtype=int))
    row, column = np.unravel_index(int(wrong.argmax()), wrong.shape)
    if wrong[row, column] == 0:
        return "No row is wrong."
    return f"Most often wrong: {label(names[row])} taken for {label(names[column])}, {wrong[row, column]:,} times."


def _thin(points: int) -> np.ndarray:
    """Positions of at most `_MOST_POINTS_IN_LINE` points, first and last among them."""
    return np.unique(np.linspace(0, points - 1, min(points, _MOST_POINTS_IN_LINE)).round().astype(int))


def _three_decimals(area: float) -> str:
    """Rounded, but what is not perfect never looks so."""
    return f"{area if area == 1 else min(area, 0.9994):.3f}"


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _cell_colour(row: int, column: int, named: int) -> str:
    """Green right, orange wrong; grey where many classes share a cell, and right and wrong with it."""
    if row == column:
        return ACCENT[0] if row < named else MUTED[0]
    return CLASS_COLOURS[2]
