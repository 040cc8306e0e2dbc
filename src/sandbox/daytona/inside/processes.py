"""Runs inside a cloud sandbox: starts commands that outlive the connection, and the server, that asked for them.

    start RUN COMMAND   starts the command described by the JSON file COMMAND, unless RUN is running already or succeeded
    follow RUN AT WAIT  what RUN printed from byte AT on, waiting at most WAIT seconds for more
    send RUN NAME LINE  one line (base64; @FILE for a long one; nothing: the end) for stdin, unless one of this NAME was sent
    kill RUN WHY        ends RUN and all it started; WHY is what its exit will say. RUN `all`: every one

Each answers with one JSON line. A run is a folder:

    command.json  what to run      lock   held by the supervisor as long as it lives
    log           output so far    exit   how it ended; written whole, after everything else
    in/N          lines for stdin  next   how many of them were taken       kill  asks for its end
    sent/NAME     names of them

The log is frames: one byte (1 stdout, 2 stderr), four bytes of length, and so many bytes. Success is an `exit` that says so:
a run without one whose lock is free was lost. Nothing beyond the standard library.
"""

import base64
import fcntl
import json
import os
import shutil
import sys
import time

# Which `-I` leaves out.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from runs import ROOT, RUNS, folder_of, is_alive, read_or, sent, size_of, write_whole  # noqa: E402
from supervise import supervise  # noqa: E402

TICK_SECONDS = 0.02
MOST_FOLLOWED_BYTES = 512 * 1024


def answer(**fields):
    print(json.dumps(fields), flush=True)


def start(run, command_file):
    folder = folder_of(run)
    os.makedirs(RUNS, exist_ok=True)
    # One at a time: an answer may get lost on its way, and who asked asks again while the first is at it.
    turn = os.open(os.path.join(ROOT, "starting"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(turn, fcntl.LOCK_EX)
    for _ in range(2):
        try:
            os.mkdir(folder)
            break
        except FileExistsError:
            ended = read_or(os.path.join(folder, "exit"), None)
            asked_again = not os.path.exists(command_file)
            if asked_again or is_alive(folder) or (ended is not None and json.loads(ended)["code"] == 0):
                if not asked_again:
                    os.unlink(command_file)
                return answer(state="attached", bytes=size_of(folder))
            # It failed or was lost: a new one takes its place.
            shutil.rmtree(folder)
    os.rename(command_file, os.path.join(folder, "command.json"))
    os.mkdir(os.path.join(folder, "in"))
    os.mkdir(os.path.join(folder, "sent"))
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.close(turn)
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(nothing, descriptor)
        try:
            supervise(folder, writing)
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode()[:4096])
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 8192).decode()
    if said == "started":
        return answer(state="started", bytes=0)
    shutil.rmtree(folder, ignore_errors=True)
    answer(state="failed", message=said or "it ended at once")


def follow(run, at, wait):
    folder = folder_of(run)
    at = int(at)
    until = time.monotonic() + float(wait)
    while True:
        # Asked in this order: what ends a run is written after all that it printed.
        alive = is_alive(folder)
        ended = read_or(os.path.join(folder, "exit"), None)
        size = size_of(folder)
        if size > at or ended is not None or not alive or time.monotonic() >= until:
            break
        time.sleep(TICK_SECONDS)
    data = b""
    if size > at:
        with open(os.path.join(folder, "log"), "rb") as log:
            log.seek(at)
            data = log.read(min(size - at, MOST_FOLLOWED_BYTES))
    whole = at + len(data) >= size
    answer(
        data=base64.b64encode(data).decode(),
        exit=json.loads(ended) if ended is not None and whole else None,
        lost=ended is None and not alive and whole,
    )


def send(run, name, line=None):
    folder = folder_of(run)
    mark = os.path.join(folder, "sent", name)
    try:
        turn = os.open(os.path.join(folder, "sending"), os.O_RDWR | os.O_CREAT)
    except FileNotFoundError:
        return answer(ok=False)
    fcntl.flock(turn, fcntl.LOCK_EX)
    if os.path.exists(mark):
        return answer(ok=True)  # It had arrived; the answer had not.
    if line is None:
        content = b""
    elif line.startswith("@"):
        with open(line[1:], "rb") as file:
            content = b"=" + file.read()
        os.unlink(line[1:])
    else:
        content = b"=" + (b"" if line == "=" else base64.b64decode(line))
    with open(mark, "wb"):
        pass
    write_whole(os.path.join(folder, "in", f"{sent(folder):09d}"), content)
    answer(ok=True)


def kill(run, why):
    """Asks for the end of runs; waits until their supervisors are gone, for a while."""
    names = os.listdir(RUNS) if run == "all" and os.path.isdir(RUNS) else [] if run == "all" else [run]
    alive = [folder_of(name) for name in names if is_alive(folder_of(name))]
    for folder in alive:
        write_whole(os.path.join(folder, "kill"), why.encode())
    until = time.monotonic() + 5
    while any(is_alive(folder) for folder in alive) and time.monotonic() < until:
        time.sleep(TICK_SECONDS)
    answer(ok=True, killed=len(alive))


def close_on_exec():
    """Whatever the daemon left open must not reach a command. Ours are closed already."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2:
                os.set_inheritable(int(name), False)
        except OSError:
            continue  # The one that listed the folder.


if __name__ == "__main__":
    os.umask(0o077)
    close_on_exec()
    {"start": start, "follow": follow, "send": send, "kill": kill}[sys.argv[1]](*sys.argv[2:])
