"""Agent-written code trained again by `pipeline.py`, in place: on the machine of a person who has read it."""

from pathlib import Path
from typing import Any

from .inside import run_task
from .layout import lay_out


def with_answers(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """A `train` request whose `source` and `drop` are replaced by the `code` that train takes; runs the source."""
    rest = {key: value for key, value in request.items() if key not in ("source", "drop")}
    laid_out = lay_out(name, request["source"], int(request.get("seed") or 0))
    answers = {}
    for part in laid_out["parts"]:
        folder = Path("scratch") / name / part
        folder.mkdir(parents=True, exist_ok=True)
        run_task({"folder": f"work/code/{name}/{part}", "answers": str(folder)})
        answers[part] = str(folder)
    return rest | {"code": {"id": name, "answers": answers, "drop": request.get("drop") or []}}
