"""Runs inside a cloud sandbox: makes the job's folder, and passes files over its border without following links.

    setup UID               folders, owner, the toolkit on the interpreter's path; answers with what this machine is
    ready                   all is here: from now on this is no fresh sandbox any more
    take FILE PATH SHA UID  moves the uploaded FILE to PATH of the job's folder, its sha256 being SHA
    give PATH NAME          copies PATH of the job's folder to transfer/NAME for download
    drop NAME               removes transfer/NAME

Each answers with one JSON line. PATH comes in base64url; UID is `-` where files keep the owner they are made with, as they do
unless we are root. What is refused says why: `missing`, `refused` or `corrupt`. Nothing beyond the standard library.
"""

import base64
import hashlib
import json
import os
import platform
import shutil
import stat
import sys
import sysconfig

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOB = os.path.join(ROOT, "job")
TRANSFER = os.path.join(ROOT, "transfer")
TOOLKIT = os.path.join(ROOT, "toolkit")
READY = os.path.join(ROOT, "ready")
FOLDERS = ("input", "work", "scratch", "sealed", "out")
COPIED_BYTES = 1024 * 1024
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def answer(**fields):
    print(json.dumps(fields), flush=True)


class Refused(Exception):
    """`args`: how, and why in words."""


def setup(uid):
    is_root = os.geteuid() == 0
    uid = uid if is_root else "-"
    for path in (ROOT, JOB, TRANSFER, os.path.join(ROOT, "tmp")):
        os.makedirs(path, mode=0o700, exist_ok=True)
    for name in (*FOLDERS, "tmp"):
        path = os.path.join(JOB, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        give_to(uid, path)
    give_to(uid, JOB)
    site = sysconfig.get_path("purelib")
    with open(os.path.join(site, "sproutml_toolkit.pth"), "w") as file:
        file.write(TOOLKIT + "\n")
    binary = os.path.realpath(sys.executable)
    # Where libraries are found: also those that another environment lends to this one.
    libraries = [path for path in sys.path if os.path.isdir(path)]
    seen = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(binary)), TOOLKIT, *libraries}
    answer(
        job=JOB,
        python=sys.executable,
        bin=os.path.dirname(sys.executable),
        version=platform.python_version(),
        sitePackages=site,
        readOnlyPaths=sorted(path for path in seen if path not in ("/", "/usr")),
        programs={name: shutil.which(name) for name in ("bwrap", "prlimit", "setpriv")},
        isRoot=is_root,
        uid=None if uid == "-" else int(uid),
        fresh=not os.path.exists(READY),
        machine=platform.machine(),
        cpus=os.cpu_count() or 1,
        systemFolders=[
            {"path": path, "link": os.readlink(path) if os.path.islink(path) else None}
            for path in ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
            if os.path.exists(path)
        ],
    )


def ready():
    with open(READY, "w"):
        pass
    answer(ok=True)


def give_to(uid, target, **how):
    if uid != "-":
        os.chown(target, int(uid), int(uid), **how)


def take(file, path, sha, uid):
    try:
        *names, last = split(path)
        if not os.path.exists(file) and is_there(names, last, sha):
            return answer(ok=True)  # It was taken; the answer had not arrived.
        if not os.path.exists(file) or sha256_of(file) != sha:
            raise Refused("corrupt", "what arrived is not what was sent")
        folder = open_folder(names, uid)
        try:
            source = os.open(file, os.O_RDONLY)
            os.fchmod(source, 0o644)
            if uid != "-":
                os.fchown(source, int(uid), int(uid))
            os.close(source)
            os.rename(file, last, dst_dir_fd=folder)
        except IsADirectoryError:
            raise Refused("refused", "a folder has this name") from None
        finally:
            os.close(folder)
    except Refused as refusal:
        if os.path.exists(file):
            os.unlink(file)
        return answer(refused=refusal.args[0], why=refusal.args[1])
    answer(ok=True)


def is_there(names, last, sha):
    folder = open_folder(names, None)
    try:
        with open(open_file(folder, last), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha
    finally:
        os.close(folder)


def give(path, name):
    try:
        *names, last = split(path)
        folder = open_folder(names, None)
        try:
            source = open_file(folder, last)
        finally:
            os.close(folder)
        digest = hashlib.sha256()
        size = 0
        with open(source, "rb") as reading, open(os.path.join(TRANSFER, name), "wb") as copy:
            # So much and no more: it may be growing.
            left = os.fstat(source).st_size
            while left > 0 and (chunk := reading.read(min(COPIED_BYTES, left))):
                digest.update(chunk)
                copy.write(chunk)
                size += len(chunk)
                left -= len(chunk)
    except Refused as refusal:
        return answer(refused=refusal.args[0], why=refusal.args[1])
    answer(size=size, sha256=digest.hexdigest())


def drop(name):
    path = os.path.join(TRANSFER, name)
    if os.path.exists(path):
        os.unlink(path)
    answer(ok=True)


def split(path):
    return base64.urlsafe_b64decode(path + "=" * (-len(path) % 4)).decode().split("/")


def open_folder(names, make_for):
    """Opens the folder that `names` lead to, link by link refused; makes what is missing unless `make_for` is None."""
    folder = os.open(JOB, os.O_RDONLY | os.O_DIRECTORY)
    for name in names:
        outer = folder
        try:
            if make_for is not None:
                try:
                    os.mkdir(name, 0o755, dir_fd=outer)
                    give_to(make_for, name, dir_fd=outer, follow_symlinks=False)
                except FileExistsError:
                    pass
            folder = os.open(name, FOLDER, dir_fd=outer)
        except FileNotFoundError:
            raise Refused("missing", "") from None
        except OSError as error:
            # ENOTDIR for a link too: O_DIRECTORY is looked at first.
            raise Refused("refused", f"a folder on the way is a link or a file ({error.strerror})") from None
        finally:
            os.close(outer)
    return folder


def open_file(folder, name):
    try:
        # Without O_NONBLOCK, opening a pipe that no one writes to would wait for ever.
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        raise Refused("missing", "") from None
    except OSError as error:
        raise Refused("refused", f"it is no regular file ({error.strerror})") from None
    found = os.fstat(source)
    if not stat.S_ISREG(found.st_mode):
        os.close(source)
        raise Refused("refused", "it is not a regular file")
    if found.st_nlink != 1:
        os.close(source)
        raise Refused("refused", "it has a second name (a hard link)")
    return source


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    {"setup": setup, "ready": ready, "take": take, "give": give, "drop": drop}[sys.argv[1]](*sys.argv[2:])
