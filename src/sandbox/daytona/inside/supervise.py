"""Watches over one command, as the server's own supervisor does on its machine: lines out, wall clock, memory, disk, output."""

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
import tempfile
import time

from runs import ROOT, read_or, write_whole

TICK_SECONDS = 0.02
WATCH_SECONDS = 0.1
DISK_EVERY = 10
OUTPUT_GRACE_SECONDS = 2.0
FRAME_BYTES = 64 * 1024
PR_SET_CHILD_SUBREAPER = 36


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
