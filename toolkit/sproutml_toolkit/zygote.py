"""`zygote`: import the libraries once, then fork a child per command, so that a command starts in milliseconds.

One thread, one selector. The parent never runs a numeric routine: OpenMP and BLAS thread pools do not survive a fork, so
they must first come to life in the child.

A child writes its wire lines to one pipe and everything else (its own stdout and stderr, and those of native libraries) to
another; the parent passes the first on with the command's id and turns the second into log lines.
"""

import contextlib
import ctypes
import errno
import importlib
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import wire
from .commands import serve

_LIBRARIES = (
    "numpy",
    "pandas",
    "scipy.sparse",
    "scipy.stats",
    "sklearn.decomposition",
    "sklearn.ensemble",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.preprocessing",
    "lightgbm",
    "catboost",
    "threadpoolctl",
)
_OURS = ("agent_code.model", "profile", "split", "prepare", "train", "ensemble", "model")
# What only the job's end needs. It is imported once the first models are there, for it would keep them waiting.
_LATER = ("evaluate", "report")
_FIRST_COMMANDS = 6
_CHUNK = 1 << 16
_NOISE_LINE = 4_000
_NOISE_LINES = 2_000
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Serve until stdin closes, then kill every child."""
    started = time.monotonic()
    wire = os.dup(1)
    os.dup2(2, 1)
    _import_libraries()
    return _Zygote(wire).serve(round(time.monotonic() - started, 3))


def _import_libraries() -> None:
    for library in _LIBRARIES:
        importlib.import_module(library)
    _import_ours(_OURS)


def _import_ours(modules: tuple[str, ...]) -> None:
    for module in modules:
        importlib.import_module(f".{module}", __package__)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing said on stderr meanwhile is heard: matplotlib asks for the system's fonts, and a sandbox has none to tell of."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@dataclass
class _Child:
    id: str
    pid: int
    lines: int
    noise: int
    pending: dict[int, bytes] = field(default_factory=dict)
    noisy_lines: int = 0
    status: int | None = None


class _Zygote:
    def __init__(self, wire: int) -> None:
        self.wire = wire
        self.selector = selectors.DefaultSelector()
        self.children: dict[str, _Child] = {}
        self.ended = 0
        self.input = b""

    def serve(self, seconds: float) -> int:
        reader, writer = os.pipe()
        for end in (reader, writer):
            os.set_blocking(end, False)
        # The handler does nothing: the wake-up descriptor is what makes the selector return when a child ends.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.inherited = (reader, writer)
        self.selector.register(0, selectors.EVENT_READ, self._read_commands)
        self.selector.register(reader, selectors.EVENT_READ, lambda: self._reap(reader))
        self._send({"type": "ready", "seconds": seconds})
        try:
            while 0 in self.selector.get_map():
                for key, _ in self.selector.select():
                    # A child buried in this round may have left its descriptor's number to a new one.
                    if self.selector.get_map().get(key.fd) == key:
                        key.data()
        finally:
            for child in self.children.values():
                _kill(child.pid)
        return 0

    def _read_commands(self) -> None:
        chunk = os.read(0, _CHUNK)
        if not chunk:
            self.selector.unregister(0)
            return
        *lines, self.input = (self.input + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            order = json.loads(line)
            id = str(order["id"])
            if order.get("kill"):
                if id in self.children:
                    _kill(self.children[id].pid)
                return
            name, request, cpu = str(order["command"]), order["request"], order.get("cpuSeconds")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._send({"type": "log", "level": "ERROR", "message": f"not an order: {line[:200]!r} ({error})"})
            return
        if id in self.children:
            self._send({"type": "log", "level": "ERROR", "message": f"command {id} is running already"})
            return
        self._fork(id, name, request, cpu)

    def _fork(self, id: str, name: str, request: Any, cpu: float | None) -> None:
        lines, child_lines = os.pipe()
        noise, child_noise = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            for end in (lines, child_lines, noise, child_noise):
                os.close(end)
            self._send(
                {
                    "id": id,
                    "type": "error",
                    "code": "PROCESS_LIMIT",
                    "message": f"no process could be started: {error}",
                    "hint": "Run fewer commands side by side, or allow the sandbox more processes.",
                }
            )
            self._send({"id": id, "type": "exit", "code": 2, "signal": None})
            return
        if pid == 0:
            _be_child(child_lines, child_noise, name, request, cpu, (self.wire, lines, noise, *self.inherited))
        os.close(child_lines)
        os.close(child_noise)
        # Parent and child both make the group: whichever runs first, a kill finds it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpgid(pid, pid)
        child = _Child(id, pid, lines, noise, {lines: b"", noise: b""})
        self.children[id] = child
        for end in (lines, noise):
            os.set_blocking(end, False)
            self.selector.register(end, selectors.EVENT_READ, lambda end=end: self._read_child(child, end))

    def _read_child(self, child: _Child, end: int) -> bool:
        """Pass on what a child wrote; False when there is nothing more for now."""
        try:
            chunk = os.read(end, _CHUNK)
        except BlockingIOError:
            return False
        if not chunk:
            if end in self.selector.get_map():
                self.selector.unregister(end)
            return False
        *lines, rest = (child.pending[end] + chunk).split(b"\n")
        if end == child.noise and len(rest) > _NOISE_LINE:
            lines.append(rest)
            rest = b""
        child.pending[end] = rest
        for line in lines:
            self._pass_on(child, end, line)
        return True

    def _pass_on(self, child: _Child, end: int, line: bytes) -> None:
        if end == child.lines:
            # The child's line is an object of our own making: the id goes in at its front.
            self._write(b'{"id":' + json.dumps(child.id).encode() + b"," + line[1:] + b"\n")
            return
        child.noisy_lines += 1
        if line.strip() and child.noisy_lines <= _NOISE_LINES:
            message = line[:_NOISE_LINE].decode("utf-8", errors="replace").rstrip()
            self._send({"id": child.id, "type": "log", "level": "INFO", "message": message})

    def _reap(self, reader: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(reader, _CHUNK)
        for child in list(self.children.values()):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if pid == child.pid:
                self._bury(child, status)
                self.ended += 1
                if self.ended == _FIRST_COMMANDS:
                    with _quiet():
                        _import_ours(_LATER)

    def _bury(self, child: _Child, status: int) -> None:
        """End what is left of the child's group, pass on its last words, and say how it ended."""
        _kill(child.pid)
        for end in (child.noise, child.lines):
            while self._read_child(child, end):
                pass
            # Half a wire line is what a kill left of one: it says nothing.
            if end == child.noise and child.pending[end]:
                self._pass_on(child, end, child.pending[end])
            if end in self.selector.get_map():
                self.selector.unregister(end)
            os.close(end)
        del self.children[child.id]
        signaled = os.WIFSIGNALED(status)
        self._send(
            {
                "id": child.id,
                "type": "exit",
                "code": None if signaled else os.WEXITSTATUS(status),
                "signal": signal.Signals(os.WTERMSIG(status)).name if signaled else None,
            }
        )

    def _send(self, line: dict[str, Any]) -> None:
        self._write(json.dumps(line).encode() + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self.wire, view) :]


def _kill(pid: int) -> None:
    """SIGKILL to the child's whole group; a group that is gone already is what we wanted."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.EPERM):
                raise


def _be_child(lines: int, noise: int, name: str, request: Any, cpu: float | None, inherited: tuple[int, ...]) -> None:
    """Turn the fresh fork into a command's process. Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)
        _die_with_parent()
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(noise, 1)
        os.dup2(noise, 2)
        for end in (noise, *inherited):
            os.close(end)
        if cpu is not None:
            seconds = max(int(cpu), 1)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        wire.use_descriptor(lines)
        code = serve(name, lambda: json.dumps(request))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # No exit handlers: they belong to the parent.
        os._exit(code)


def _die_with_parent() -> None:
    """On Linux, be killed when the zygote dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
