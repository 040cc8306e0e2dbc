"""The wire commands: one JSON request in, JSON lines out. See PROTOCOL.md."""

import importlib
import json
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from .wire import ToolkitError, emit

_RESULT, _BUG, _CODED_ERROR = 0, 1, 2
COMMANDS = (
    "profile", "split", "prepare", "describe_columns", "lay_out_code", "lay_out_look", "check_code", "train", "ensemble", "evaluate",
    "refit", "report",
)  # fmt: skip


def serve(name: str, read_request: Callable[[], str]) -> int:
    """Run a wire command: its result or its error is the last line emitted.

    The exit code is 0 (result), 2 (coded error) or 1 (a bug of ours).
    """
    # Libraries' advice to developers is for the tests, which show it, not for a job's log.
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", module=r"sklearn\.")
    try:
        # Whatever a model says it needs, its code runs in the untrusted sandbox or not at all.
        importlib.import_module(".agent_code.model", __package__).never_in_place()
        if name not in COMMANDS:
            raise ToolkitError("COMMAND_UNKNOWN", f"there is no command {name!r}", f"Use one of {', '.join(COMMANDS)}.")
        result = command(name)(_parse(read_request()))
        emit({"type": "result", "result": result})
        return _RESULT
    except ToolkitError as error:
        emit({"type": "error", "code": error.code, "message": error.message, "hint": error.hint})
        return _CODED_ERROR
    except MemoryError:
        emit(
            {
                "type": "error",
                "code": "OUT_OF_MEMORY",
                "message": f"{name} needed more memory than it may use",
                "hint": "Use a smaller table or fewer columns, or allow the sandbox more memory.",
            }
        )
        return _CODED_ERROR
    except Exception as error:
        emit(
            {
                "type": "error",
                "code": "TOOLKIT_BUG",
                "message": traceback.format_exc()[-8_000:],
                "hint": f"{type(error).__name__} in {name}: a bug of the toolkit. Please report it with this text.",
            }
        )
        return _BUG


def command(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function that serves a command: `run` of the module of that name, imported when first needed."""
    return importlib.import_module(f".{name}", __package__).run


def _parse(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        raise ToolkitError("REQUEST_INVALID", f"the request is no JSON: {error}", "Send one JSON object.") from error
    if not isinstance(request, dict):
        raise ToolkitError("REQUEST_INVALID", "the request is no JSON object", "Send one JSON object.")
    return request
