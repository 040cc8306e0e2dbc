"""A run's folder, as processes.py describes it: what both its supervisor and those who ask after it read and write."""

import fcntl
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNS = os.path.join(ROOT, "run")


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


def size_of(folder):
    try:
        return os.stat(os.path.join(folder, "log")).st_size
    except FileNotFoundError:
        return 0


def sent(folder):
    """How many lines were sent so far, taken or not."""
    waiting = [int(name) + 1 for name in os.listdir(os.path.join(folder, "in")) if name.isdigit()]
    return max([int(read_or(os.path.join(folder, "next"), b"0")), *waiting])
