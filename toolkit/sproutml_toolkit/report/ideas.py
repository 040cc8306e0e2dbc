"""The code that a language model wrote: what of it is in the winner, and what came of the rest."""

from typing import Any

from ..metrics import is_lower_better
from . import words
from .findings import Findings

_MOST_SHOWN = 12


def render(findings: Findings) -> dict[str, Any] | None:
    """What the page shows: `kept`, with its code, and `others`; None where no code was written."""
    if not findings.ideas:
        return None
    kept = _in_winner(findings)
    rows = [
        {
            "name": idea["name"],
            "plan": idea["plan"],
            "score": words.score_text(findings.metric, idea["score"]) if idea["score"] is not None else None,
            "error": (idea["error"] or "").split("\n")[0][:200],
            "source": idea["source"],
            "file": f"{idea['id']}.py",
            "kept": idea["trialId"] in kept,
        }
        for idea in findings.ideas
    ]
    others = [row for row in rows if not row["kept"]]
    return {"kept": [row for row in rows if row["kept"]][:_MOST_SHOWN], "others": others[-3 * _MOST_SHOWN :]}


def lift_words(findings: Findings) -> str:
    """How far the best is ahead of what the playbook did alone, in cross-validation."""
    alone, best = findings.playbook_score, findings.evaluation["validation"].get(findings.metric)
    if alone is None or best is None:
        return ""
    gained = (alone - best) if is_lower_better(findings.metric) else (best - alone)
    name = words.METRIC_NAMES[findings.metric]
    playbook = words.score_text(findings.metric, alone)
    if gained <= 0:
        return f"Nothing of the model's beat the playbook's own {name} of {playbook} in cross-validation."
    return f"In cross-validation the playbook alone reached {name} {playbook}, and with the model's work {words.score_text(findings.metric, best)}."


def _in_winner(findings: Findings) -> set[str]:
    weights = (findings.best.get("parameters") or {}).get("weights") or {findings.trial_id: 1.0}
    return {trial_id for trial_id, weight in weights.items() if weight > 0}
