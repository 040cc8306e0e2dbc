"""The zygote forks a child per command and outlives whatever befalls it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from job_folder import SEED, JobFolder, environment

# Commands of these tests' own, put in the place of real ones in the zygote's process.
MISBEHAVE = """
import os, signal, sys, time
from sproutml_toolkit import commands, zygote, wire

def crash(request): os.kill(os.getpid(), signal.SIGSEGV)
def noisy(request):
    print("from python", flush=True)
    os.write(1, b"from native code\\n" * 3)
    os.write(2, b"no newline at the end")
    return {"stdin": sys.stdin.read() if not sys.stdin.closed else ""}
def spin(request):
    while True: pass
def breed(request):
    pid = os.fork()
    if pid == 0:
        time.sleep(600)
    wire.emit_log("INFO", str(pid))
    time.sleep(600)

MINE = {"crash": crash, "noisy": noisy, "spin": spin, "breed": breed}
commands.COMMANDS += tuple(MINE)
real = commands.command
commands.command = lambda name: MINE.get(name) or real(name)
zygote._LIBRARIES = zygote._LIBRARIES if len(sys.argv) > 1 else ()
zygote._OURS = zygote._OURS if len(sys.argv) > 1 else ()
zygote._FIRST_COMMANDS = 2
sys.exit(zygote.main())
"""


class Zygote:
    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MISBEHAVE, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=environment(),
        )
        assert self.read()["type"] == "ready"

    def send(self, **order: Any) -> None:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline())

    def until_exit(self, id: str) -> list[dict[str, Any]]:
        lines = []
        while not lines or lines[-1]["type"] != "exit":
            line = self.read()
            if line["id"] == id:
                lines.append(line)
        return lines


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    started = Zygote(tmp_path)
    yield started
    started.process.stdin.close()
    started.process.wait(10)
    started.process.stdout.close()


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
    return False


def is_gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(200):
        if not is_alive(pid):
            return True
        time.sleep(0.05)
    return False


def test_commands_run_side_by_side_and_each_line_carries_its_id(mixed: JobFolder) -> None:
    zygote = Zygote(mixed.folder, "with libraries")
    request = {"family": "LIGHTGBM", "params": {"rounds": 20}, "timeLimitSeconds": 60, "threads": 2, "seed": SEED}
    for id in ("a", "b"):
        zygote.send(id=id, command="train", request=request | {"trialId": f"z{id}"}, cpuSeconds=60)
    lines = []
    while sum(line["type"] == "exit" for line in lines) < 2:
        lines.append(zygote.read())
    for id in ("a", "b"):
        own = [line for line in lines if line["id"] == id]
        assert [line["type"] for line in own[-2:]] == ["result", "exit"]
        assert own[-2]["result"]["trialId"] == f"z{id}"
        assert own[-1] == {"id": id, "type": "exit", "code": 0, "signal": None}
    files = [mixed.folder / f"work/trials/z{id}/oof.npy" for id in ("a", "b")]
    assert files[0].read_bytes() == files[1].read_bytes()
    zygote.process.stdin.close()
    assert zygote.process.wait(10) == 0
    zygote.process.stdout.close()


def test_what_a_child_prints_arrives_as_log_lines_and_never_breaks_the_wire(zygote: Zygote) -> None:
    zygote.send(id="1", command="noisy", request={})
    lines = zygote.until_exit("1")
    said = [line["message"] for line in lines if line["type"] == "log"]
    assert said == ["from python", *["from native code"] * 3, "no newline at the end"]
    assert lines[-1]["code"] == 0


def test_a_child_that_crashes_is_reported_and_the_next_command_runs(zygote: Zygote) -> None:
    zygote.send(id="1", command="crash", request={})
    assert zygote.until_exit("1")[-1] == {"id": "1", "type": "exit", "code": None, "signal": "SIGSEGV"}
    zygote.send(id="2", command="noisy", request={})
    assert zygote.until_exit("2")[-1]["code"] == 0


def test_a_coded_error_exits_2_and_an_unknown_command_is_one(zygote: Zygote) -> None:
    zygote.send(id="1", command="cook", request={})
    *_, error, end = zygote.until_exit("1")
    assert (error["code"], end["code"]) == ("COMMAND_UNKNOWN", 2)


def test_kill_ends_the_child_and_what_it_started(zygote: Zygote) -> None:
    zygote.send(id="1", command="breed", request={})
    grandchild = int(zygote.read()["message"])
    zygote.send(id="1", kill=True)
    assert zygote.until_exit("1")[-1]["signal"] == "SIGKILL"
    assert is_gone(grandchild)


def test_processor_time_is_bounded_per_command(zygote: Zygote) -> None:
    zygote.send(id="1", command="spin", request={}, cpuSeconds=1)
    assert zygote.until_exit("1")[-1]["signal"] == "SIGXCPU"


def test_nonsense_on_stdin_is_said_and_survived(zygote: Zygote) -> None:
    for nonsense in ("hello", "[]", '{"id": "1"}', '{"id": "9", "kill": true}'):
        zygote.process.stdin.write(nonsense + "\n")
    zygote.send(id="2", command="noisy", request={})
    lines = [zygote.read() for _ in range(3)]
    assert all(line["level"] == "ERROR" for line in lines)
    assert zygote.until_exit("2")[-1]["code"] == 0


@pytest.mark.parametrize("end", ["eof", "sigkill"])
def test_no_child_outlives_the_zygote(tmp_path: Path, end: str) -> None:
    if end == "sigkill" and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent died")
    zygote = Zygote(tmp_path)
    zygote.send(id="1", command="breed", request={})
    grandchild = int(zygote.read()["message"])
    child = int(Path(f"/proc/{grandchild}/stat").read_text().rpartition(")")[2].split()[1])
    if end == "eof":
        zygote.process.stdin.close()
    else:
        zygote.process.kill()
    zygote.process.wait(10)
    assert is_gone(child)
    if end == "eof":
        assert is_gone(grandchild)
    else:
        os.kill(grandchild, 9)
