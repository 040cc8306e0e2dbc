"""`lay_out_look`: put rows and code that looks at them where the untrusted sandbox finds them. See PROTOCOL.md."""

from typing import Any

from .agent_code.layout import lay_out_look


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `lay_out_look` request."""
    return {"folder": lay_out_look(request["codeId"], request["source"]).as_posix()}
