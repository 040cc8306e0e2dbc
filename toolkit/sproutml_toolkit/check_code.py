"""`check_code`: whether what agent-written code made of a few rows is what its form asks for. See PROTOCOL.md."""

from pathlib import Path
from typing import Any

from . import workspace
from .agent_code.layout import read_source
from .agent_code.source import form_of
from .agent_code.trial import read_part


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `check_code` request."""
    code_id, classes = request["codeId"], len(workspace.load_profile()["classes"] or [])
    part = read_part(code_id, "sample", Path(request["answers"]), form_of(read_source(code_id)), classes)
    return {"columns": [{"name": name, "kind": kind} for name, kind in part.kinds.items()], "rows": len(part.rows)}
