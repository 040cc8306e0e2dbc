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
import ctypes
import fcntl
import json
import os
import resource
import selectors
import shutil
import signal
import struct
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNS = os.path.join(ROOT, "run")
TICK_SECONDS = 0.02
WATCH_SECONDS = 0.1
DISK_EVERY = 10
OUTPUT_GRACE_SECONDS = 2.0
FRAME_BYTES = 64 * 1024
MOST_FOLLOWED_BYTES = 512 * 1024
PR_SET_CHILD_SUBREAPER = 36


def answer(**fields):
    print(json.dumps(fields), flush=True)


def read_or(path, missing):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return missing


def write_whole(path, content):
    with open(path + ".part", "wb") as file:
        file.write(content)
    os.rename(path + ".part", path)


def folder_of(run):
    return os.path.join(RUNS, run)


def is_alive(folder):
    """Whether a supervisor holds the run's lock."""
    try:
        lock = os.open(os.path.join(folder, "lock"), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


# --- start ---


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


def size_of(folder):
    try:
        return os.stat(os.path.join(folder, "log")).st_size
    except FileNotFoundError:
        return 0


def sent(folder):
    """How many lines were sent so far, taken or not."""
    waiting = [int(name) + 1 for name in os.listdir(os.path.join(folder, "in")) if name.isdigit()]
    return max([int(read_or(os.path.join(folder, "next"), b"0")), *waiting])


# --- supervise ---


def supervise(folder, ready):
    with open(os.path.join(folder, "command.json")) as file:
        command = json.load(file)
    lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Whatever the command leaves behind becomes ours, to be found and ended.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.umask(0o022)
    log = os.open(os.path.join(folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pid, stdin, stdout, stderr = spawn(command)
    os.write(ready, b"started")
    os.close(ready)
    exit_of = Run(folder, command, log, pid, stdin, {stdout: 1, stderr: 2}).live()
    write_whole(os.path.join(folder, "exit"), json.dumps(exit_of).encode())


def spawn(command):
    """Starts the program in a session of its own: descriptors 0 to 2 are pipes, the next ones files to read."""
    os.chdir(command["cwd"] or ROOT)
    pipes = [os.pipe() for _ in range(3)]
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
    for content in command["descriptors"]:
        file = tempfile.TemporaryFile()
        file.write(base64.b64decode(content))
        file.seek(0)
        theirs.append(os.dup(file.fileno()))
    # High up, so that no target is overwritten before it is copied. All of these close on exec.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100) for descriptor in theirs]
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, target) for target, descriptor in enumerate(high)]
    program = shutil.which(command["file"], path=command["env"].get("PATH")) or command["file"]
    pid = os.posix_spawn(
        program,
        [command["file"], *command["args"]],
        command["env"],
        file_actions=actions,
        setsid=True,
        # Which Python ignores.
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    for descriptor in theirs + high:
        os.close(descriptor)
    ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
    for descriptor in ours:
        os.set_blocking(descriptor, False)
    return pid, *ours


class Run:
    """One command from its start to its end."""

    def __init__(self, folder, command, log, pid, stdin, outputs):
        self.folder = folder
        self.command = command
        self.log = log
        self.pid = pid
        self.stdin = stdin
        self.outputs = outputs
        self.selector = selectors.DefaultSelector()
        for descriptor in outputs:
            self.selector.register(descriptor, selectors.EVENT_READ)
        self.room = command["limits"]["outputBytes"]
        self.to_write = b""
        self.end_input = False
        self.next = 0
        self.stopped = None

    def live(self):
        """Until it has ended and its output is read; answers with how it ended."""
        begun = watched = time.monotonic()
        wall = self.command["limits"]["wallSeconds"]
        status = None
        ended_at = 0.0
        looks = 0
        while True:
            for key, _ in self.selector.select(TICK_SECONDS):
                self.read(key.fd)
            now = time.monotonic()
            if status is None:
                pid, waited = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    status, ended_at = waited, now
                    self.kill_descendants()
            if status is not None:
                if not self.outputs or now - ended_at > OUTPUT_GRACE_SECONDS:
                    return self.exit(status)
                continue
            self.take_input()
            self.write()
            asked = read_or(os.path.join(self.folder, "kill"), None)
            if asked is not None:
                self.stop(asked.decode())
            elif wall is not None and now - begun > wall:
                self.stop("deadline")
            if now - watched >= WATCH_SECONDS:
                watched = now
                looks += 1
                self.watch(looks)

    def read(self, descriptor):
        try:
            chunk = os.read(descriptor, FRAME_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self.selector.unregister(descriptor)
            os.close(descriptor)
            del self.outputs[descriptor]
            return
        kept = chunk[: max(0, self.room)]
        self.room -= len(chunk)
        if kept:
            frame = struct.pack(">BI", self.outputs[descriptor], len(kept)) + kept
            while frame:
                frame = frame[os.write(self.log, frame) :]
        if self.room < 0:
            self.stop("output")

    def take_input(self):
        while True:
            path = os.path.join(self.folder, "in", f"{self.next:09d}")
            content = read_or(path, None)
            if content is None:
                return
            self.next += 1
            write_whole(os.path.join(self.folder, "next"), str(self.next).encode())
            os.unlink(path)
            if content:
                self.to_write += content[1:] + b"\n"
            else:
                self.end_input = True

    def write(self):
        if self.stdin is None:
            return
        try:
            while self.to_write:
                self.to_write = self.to_write[os.write(self.stdin, self.to_write) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.end_input = True
        if self.end_input:
            os.close(self.stdin)
            self.stdin = None

    def watch(self, looks):
        limits = self.command["limits"]
        if memory_of(tree(self.pid), limits["memoryBytes"]) > limits["memoryBytes"]:
            self.stop("memory")
        if looks % DISK_EVERY == 0:
            volume = os.statvfs(self.folder)
            if volume.f_bavail * volume.f_frsize < limits["diskReserveBytes"]:
                self.stop("disk")

    def stop(self, reason):
        if self.stopped is None:
            self.stopped = reason
            for pid in tree(self.pid):
                kill_quietly(pid)
            self.kill_descendants()

    def kill_descendants(self):
        """Until none is left: orphans become our children, and may be starting more while we look."""
        for _ in range(100):
            pids = [pid for pid in tree(os.getpid())[1:] if pid != self.pid or self.stopped]
            if not pids:
                return
            for pid in pids:
                kill_quietly(pid)
                if pid != self.pid:
                    reap(pid)
            if pids == [self.pid]:
                return
            time.sleep(0.005)

    def exit(self, status):
        code = os.waitstatus_to_exitcode(status)
        number = -code if code < 0 else code - 128 if self.command["codeCarriesSignal"] and code > 128 else 0
        try:
            name = signal.Signals(number).name if number else None
        except ValueError:
            name = None
        reason = self.stopped or ("deadline" if name == "SIGXCPU" else "exited")
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "reason": reason,
            "code": None if name else code,
            "signal": name,
            "cpuSeconds": usage.ru_utime + usage.ru_stime,
        }


def tree(root):
    """The pids of `root` and everything below it, parents first."""
    pids = [root]
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except (FileNotFoundError, ProcessLookupError):
            continue
        for thread in threads:
            try:
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    pids.extend(int(child) for child in file.read().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return pids


def memory_of(pids, limit):
    """Bytes that cannot be dropped. Shared pages are counted for each process while the sum is under `limit`, else divided."""
    upper = sum(proc_bytes(pid, "status", ("RssAnon:", "RssShmem:")) for pid in pids)
    if upper <= limit:
        return upper
    return sum(proc_bytes(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) for pid in pids) or upper


def proc_bytes(pid, name, fields):
    try:
        with open(f"/proc/{pid}/{name}") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(fields)) * 1024
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


# --- follow, send, kill ---


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
