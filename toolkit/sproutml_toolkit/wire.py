"""The wire to the server: JSON lines on one stream that nothing else may write to."""

import json
import math
import os
import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

import numpy as np


class ToolkitError(Exception):
    """A failure the user can act on: what happened, why, and what to do about it.

    `code` is one of PROTOCOL.md's error codes, `message` says what and why, `hint` what to do.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


_stream: TextIO | None = None
_lock = threading.Lock()


def claim_stdout() -> None:
    """Keep the real stdout for the wire and send what libraries print to stderr instead."""
    wire = os.dup(1)
    sys.stdout.flush()
    os.dup2(2, 1)
    use_descriptor(wire)


def use_descriptor(descriptor: int) -> None:
    """Write the wire's lines to this file descriptor from now on."""
    global _stream
    _stream = os.fdopen(descriptor, "w", encoding="utf-8", buffering=1, closefd=False)


def finite(value: Any) -> Any:
    """`value` as plain JSON types; numbers that are not finite become None, as the protocol asks."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return [finite(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no place on the wire: {value!r}")


def emit(line: Mapping[str, Any]) -> None:
    """Write one line. ASCII-escaped, so that no odd header name can break the framing."""
    text = json.dumps(finite(line), allow_nan=False) + "\n"
    stream = _stream if _stream is not None else sys.stdout
    with _lock:
        stream.write(text)
        stream.flush()


def emit_progress(fraction: float, message: str) -> None:
    """Say how far this command has come: `fraction` from 0 to 1."""
    emit({"type": "progress", "fraction": round(min(max(fraction, 0.0), 1.0), 4), "message": message})


def emit_log(level: str, message: str) -> None:
    """Say something for the job's log; `level` is INFO, WARNING or ERROR."""
    emit({"type": "log", "level": level, "message": message})
