"""Runs one program in a session of its own, watches the memory of all it starts, and leaves nothing of it behind."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.25
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Watched:
    """`exit_code` is null where the limit ended it; `peak_bytes` is 0 where the system has no /proc."""

    exit_code: int | None
    seconds: float
    peak_bytes: int


def run_watched(
    command: list[str], *, limit_seconds: float, log: Path, folder: Path, environment: dict[str, str]
) -> Watched:
    """Run in `folder` until it ends or the limit has passed; then all it started is killed. Output is added to `log`.

    The peak is the largest sum of resident memory over its processes, sampled four times a second. A page that several
    processes share counts in each. Processes are found as descendants of this one, daemons too (Linux).
    """
    _adopt_orphans()
    before = _descendants(os.getpid())
    started = time.monotonic()
    peak = 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    try:
        while True:
            try:
                exit_code = process.wait(_SAMPLE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, sum(map(_resident_bytes, _descendants(os.getpid()) - before)))
            if time.monotonic() - started > limit_seconds:
                exit_code = None
                break
        return Watched(exit_code, time.monotonic() - started, peak)
    finally:
        _end(process, before)


def _end(process: subprocess.Popen, spare: set[int]) -> None:
    if process.poll() is None:
        # Its whole session first: where there is no /proc this is all that is known of it.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    while left := _descendants(os.getpid()) - spare:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, ChildProcessError):
                pass  # Gone already, or its parent has yet to die before it becomes ours to reap.
        time.sleep(0.01)


def _adopt_orphans() -> None:
    """A daemon whose parent ended becomes a child of this process instead of the system's first one, so it is found."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants(root: int) -> set[int]:
    """Every process below `root`; none where there is no /proc."""
    children = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything; the parent is the second field after it.
            children[int(path.read_text(errors="replace").rpartition(")")[2].split()[1])].append(int(path.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended since.
    found: set[int] = set()
    waiting = [root]
    while waiting:
        new = children[waiting.pop()]
        found.update(new)
        waiting.extend(new)
    return found


def _resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
