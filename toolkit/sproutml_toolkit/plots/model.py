"""Pictures of the job as a whole: which columns matter to the model, and how the score rose as trials finished."""

import numpy as np

from .svg import ACCENT, GRID, INK, MUTED, Plot, axes, label, to_svg

_MOST_BARS = 20


def feature_importance(importances: list[dict], metric: str, rows: str) -> Plot | None:
    """`importances` as `evaluate` gives them: {feature, mean, low, high}, how much worse the score gets without the column."""
    shown = [entry for entry in importances if entry["mean"] is not None][:_MOST_BARS]
    if not shown:
        return None
    means = np.array([entry["mean"] for entry in shown])
    spread = np.array([[entry["mean"] - entry["low"], entry["high"] - entry["mean"]] for entry in shown]).T.clip(min=0)
    sure = np.array([entry["low"] > 0 for entry in shown])
    places = np.arange(len(shown))
    with axes(6.4, 1.3 + 0.3 * len(shown)) as (figure, subplot):
        subplot.grid(visible=False, axis="y")
        subplot.barh(places, means, height=0.62, color=[ACCENT[0] if yes else GRID[0] for yes in sure])
        subplot.errorbar(means, places, xerr=spread, fmt="none", ecolor=INK[0], elinewidth=1.2, capsize=2.5)
        subplot.axvline(0, color=MUTED[0], linewidth=1)
        subplot.set_yticks(places, [label(entry["feature"], 28) for entry in shown])
        subplot.set(ylim=(len(shown) - 0.4, -0.6), xlabel=f"how much worse {metric} gets without it")
        top = ", ".join(f"{label(entry['feature'])} {entry['mean']:.3g}" for entry in shown[:3])
        alt = f"Permutation importance on {rows}, greatest first: {top}."
        svg = to_svg(figure, "feature-importance", "What the model relies on", alt)
    reading = (
        f"How much worse {metric} gets when a column's values are shuffled among the rows, with 95% intervals. "
        "Green: surely matters. Grey: could be chance."
    )
    if len(importances) > len(shown):
        reading += f" The first {len(shown)} of {len(importances)} columns."
    return Plot("feature-importance", "What the model relies on", reading, alt, svg)


def score_over_time(history: list[dict], metric: str, lower_is_better: bool) -> Plot | None:
    """`history` as the report request gives it: {seconds, score, name} per trial, in any order."""
    finished = sorted((entry for entry in history if entry["score"] is not None), key=lambda entry: entry["seconds"])
    if not finished:
        return None
    seconds = np.array([entry["seconds"] for entry in finished], dtype=float)
    scores = np.array([entry["score"] for entry in finished], dtype=float)
    best = np.minimum.accumulate(scores) if lower_is_better else np.maximum.accumulate(scores)
    with axes(6.4, 3.2) as (figure, subplot):
        subplot.plot(seconds, scores, "o", color=MUTED[0], alpha=0.6, markersize=5, markeredgewidth=0)
        subplot.step([*seconds, seconds[-1] * 1.03 + 0.1], [*best, best[-1]], where="post", color=ACCENT[0])
        low, high = _where_it_happens(scores, lower_is_better)
        subplot.set(xlabel="seconds since training began", ylabel=f"validation {metric}", ylim=(low, high))
        subplot.set_xlim(left=0)
        alt = (
            f"Best validation {metric} so far over time: {scores[0]:.4g} after {seconds[0]:.0f} s, "
            f"{best[-1]:.4g} after {seconds[int(np.argmax(best == best[-1]))]:.0f} s, {len(finished)} trials."
        )
        svg = to_svg(figure, "score-over-time", "Score over time", alt)
    better = "Lower" if lower_is_better else "Higher"
    reading = f"Each dot is a trial, the line the best so far. {better} is better."
    if ((scores < low) | (scores > high)).any():
        reading += " Trials far worse lie outside the picture."
    return Plot("score-over-time", "Score over time", reading, alt, svg)


def _where_it_happens(scores: np.ndarray, lower_is_better: bool) -> tuple[float, float]:
    """Limits that keep one hopeless trial (a baseline, say) from flattening the race among the good ones."""
    best, worst = (scores.min(), scores.max()) if lower_is_better else (scores.max(), scores.min())
    good = np.abs(scores - best)
    reach = max(float(np.quantile(good, 0.75)) * 2.5, float(np.median(good)) * 3)
    edge = worst if abs(worst - best) <= reach or reach == 0 else best + np.sign(worst - best) * reach
    margin = abs(edge - best) * 0.08 or max(abs(float(best)) * 0.02, 1e-6)
    return float(min(best, edge) - margin), float(max(best, edge) + margin)
