"""`lay_out_code`: put agent-written code and the rows it may see where its sandbox finds them. See PROTOCOL.md."""

from typing import Any

from .agent_code.layout import lay_out


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `lay_out_code` request."""
    return lay_out(request["codeId"], request["source"], int(request.get("seed") or 0))
