"""The text of agent-written code: which of the three forms it has. Looked at, never run here.

    features(frame) -> frame                                new columns, each row from itself alone
    fit(frame, target) -> state, transform(frame, state) -> frame    the same, with something learnt from training rows
    build() -> model                                        with fit(frame, target) and predict_proba(frame) or predict(frame)
"""

import ast
import re

from ..wire import ToolkitError

FEATURES, FITTED, PIPELINE = "FEATURES", "FITTED", "PIPELINE"
_MOST_BYTES = 20_000


def form_of(source: str) -> str:
    """FEATURES, FITTED or PIPELINE. Errors: CODE_TOO_LONG CODE_INVALID."""
    if len(source.encode("utf-8", errors="replace")) > _MOST_BYTES:
        raise ToolkitError("CODE_TOO_LONG", f"the code is longer than {_MOST_BYTES:,} bytes", "Write less, or learn it from the rows.")
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        message = getattr(error, "msg", None) or type(error).__name__
        raise ToolkitError("CODE_INVALID", f"the code is no Python: {where}{message}", "Send the whole module as plain text.") from error
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "build" in defined:
        return PIPELINE
    if {"fit", "transform"} <= defined:
        return FITTED
    if "features" in defined:
        return FEATURES
    raise ToolkitError(
        "CODE_INVALID",
        "the code defines none of features(frame), fit(frame, target) with transform(frame, state), build()",
        "Define one of them at the top level of the module.",
    )


def column_name(text: object, place: int) -> str:
    """What a column that the code made is called: its own name, made fit to print; of nothing, its place."""
    return re.sub(r"[^\w .:/+*%<>=-]", "", str(text))[:60].strip() or f"made {place + 1}"
