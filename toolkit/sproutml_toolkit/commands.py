"""The commands by name. Each command's module has `run(request: dict) -> dict`, loaded when first called."""

import importlib
from collections.abc import Callable
from typing import Any

COMMANDS = ("profile", "split", "prepare", "train", "ensemble", "evaluate", "report")


def command(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The function that serves a command of PROTOCOL.md."""
    return importlib.import_module(f".{name}", __package__).run
