"""The systems that are compared, and the programs that run them. What such a program is given and must leave: README.md."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

PROGRAMS = Path(__file__).resolve().parent.parent / "systems"
OURS = "sproutml"


@dataclass(frozen=True)
class System:
    """A name of the table with the commands that `fit` and `predict` are added to. `options` reach the program as they are."""

    name: str
    fit: tuple[str, ...]
    predict: tuple[str, ...]
    options: dict[str, str]
    version: str


@dataclass(frozen=True)
class _Peer:
    environment: str
    program: str
    package: str
    options: dict[str, str]


_PEERS = {
    "autogluon_best": _Peer("autogluon", "run_autogluon.py", "autogluon.tabular", {"presets": "best_quality"}),
    "autogluon_best_v150": _Peer("autogluon", "run_autogluon.py", "autogluon.tabular", {"presets": "best_quality_v150"}),
    "autogluon_medium": _Peer("autogluon", "run_autogluon.py", "autogluon.tabular", {"presets": "medium_quality"}),
    "flaml": _Peer("flaml", "run_flaml.py", "flaml", {}),
    "lightgbm": _Peer("plain", "run_lightgbm.py", "lightgbm", {}),
    "random_forest": _Peer("plain", "run_random_forest.py", "scikit-learn", {}),
}
NAMES = (OURS, *_PEERS)
DEFAULT = (OURS, "autogluon_best", "autogluon_medium", "flaml", "lightgbm", "random_forest")


def resolve(name: str, interpreter_of: Callable[[str], str]) -> System:
    """A system by its name, ready to run. `NAME:label` is the same under another name, to tell runs of changed code apart.

    `interpreter_of` gives the Python of an environment. Raises SYSTEM_UNKNOWN, or what installing raises.
    """
    base = name.partition(":")[0]
    if base == OURS:
        # In the environment this runs in: the toolkit's own.
        predict = (sys.executable, str(PROGRAMS / "predict_sproutml.py"))
        return System(name, (os.environ.get("NODE", "node"), str(PROGRAMS / "sproutml.ts")), predict, {}, _commit())
    if base not in _PEERS:
        raise BenchError("SYSTEM_UNKNOWN", f'there is no system "{base}".', f"There are {', '.join(NAMES)}.")
    peer = _PEERS[base]
    python = interpreter_of(peer.environment)
    ask = f"from importlib.metadata import version; print(version({peer.package!r}))"
    version = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    command = (python, "-s", "-E", str(PROGRAMS / peer.program))
    return System(name, command, command, peer.options, version)


def _commit() -> str:
    """The commit of this work tree, with `-dirty` where files differ from it; where git is not there, that."""
    command = ["git", "-C", str(PROGRAMS), "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"
