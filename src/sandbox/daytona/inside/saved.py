"""Runs inside a cloud sandbox: keeps what must outlive it on a mounted volume, as whole files written once.

    save MOUNT LIST FOLDERS         writes what is new in FOLDERS of the job; LIST then names all that is in them. A `-` for
                                    LIST takes the next number
    restore MOUNT LIST UID FOLDERS  brings back files of LIST in FOLDERS, those that are here already left alone; `newest` is
                                    the LIST of the highest number

A volume is object storage behind a file system: no renaming, no appending, no changing of what is there. So each file's bytes
lie under their own sha256, `objects/…`, and `lists/…` say which belong together. FOLDERS is a JSON list in base64url;
`-x` in it leaves x out. Nothing beyond the standard library.
"""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOB = os.path.join(ROOT, "job")
# Path -> [mtime, size, sha256] of what was hashed before.
KNOWN = os.path.join(ROOT, "known.json")


def answer(**fields):
    print(json.dumps(fields), flush=True)


def chosen(folders):
    """A test for paths: in one of the folders and in none that is left out."""
    folders = json.loads(base64.urlsafe_b64decode(folders + "=" * (-len(folders) % 4)))
    wanted = tuple(f"{folder}/" for folder in folders if not folder.startswith("-"))
    unwanted = tuple(f"{folder[1:]}/" for folder in folders if folder.startswith("-"))
    return lambda path: path.startswith(wanted) and not path.startswith(unwanted)


def files(folders):
    is_chosen = chosen(folders)
    for folder, _, names in os.walk(JOB):
        for name in names:
            path = os.path.join(folder, name)
            inner = os.path.relpath(path, JOB)
            # Links and pipes are nobody's result, and what is just being written is renamed when it is whole.
            if is_chosen(inner) and os.path.isfile(path) and not os.path.islink(path) and not name.endswith(".part"):
                yield inner, path


def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save(mount, name, folders):
    objects = os.path.join(mount, "objects")
    lists = os.path.join(mount, "lists")
    os.makedirs(objects, exist_ok=True)
    os.makedirs(lists, exist_ok=True)
    known = load(KNOWN)
    listed = {}
    for inner, path in files(folders):
        try:
            stamp = stamp_of(path)
            before = known.get(inner)
            sha = before[2] if before and before[:2] == stamp else hash_of(path)
            target = os.path.join(objects, sha)
            if not os.path.exists(target) or os.stat(target).st_size != stamp[1]:
                write_once(target, path)
                if stamp_of(path) != stamp:
                    os.unlink(target)  # It changed meanwhile: whoever changes it will be saved after.
                    continue
        except FileNotFoundError:
            continue  # Renamed or removed between two looks.
        known[inner] = [*stamp, sha]
        listed[inner] = [sha, stamp[1]]
    remember(known)
    name = f"{len(numbered(lists)) + 1:09d}" if name == "-" else name
    target = os.path.join(lists, name)
    if not os.path.exists(target):
        with open(target, "w") as file:
            json.dump(listed, file)
    answer(list=name, files=len(listed))


def stamp_of(path):
    found = os.stat(path)
    return [found.st_mtime_ns, found.st_size]


def remember(known):
    part = f"{KNOWN}.{os.getpid()}"
    with open(part, "w") as file:
        json.dump(known, file)
    os.rename(part, KNOWN)


def write_once(target, path):
    if os.path.exists(target):
        os.unlink(target)  # Cut short when a sandbox died.
    shutil.copyfile(path, target)


def numbered(lists):
    try:
        return sorted(name for name in os.listdir(lists) if name.isdigit())
    except FileNotFoundError:
        return []


def restore(mount, name, uid, folders):
    lists = os.path.join(mount, "lists")
    # The newest may have been cut short; the one before it is whole.
    names = numbered(lists)[::-1][:2] if name == "newest" else [name]
    listed = next((found for found in map(load, (os.path.join(lists, each) for each in names)) if found), None)
    if listed is None:
        return answer(list=None, files=0)
    is_chosen = chosen(folders)
    known = load(KNOWN)
    brought = 0
    for inner, (sha, size) in listed.items():
        if not is_chosen(inner):
            continue
        path = os.path.join(JOB, inner)
        if os.path.isfile(path) and os.stat(path).st_size == size and hash_of(path) == sha:
            continue
        make_folder(os.path.dirname(inner), uid)
        shutil.copyfile(os.path.join(mount, "objects", sha), path + ".part")
        if hash_of(path + ".part") != sha:
            raise SystemExit(f"{inner} is not what was saved")
        if uid != "-":
            os.chown(path + ".part", int(uid), int(uid))
        os.rename(path + ".part", path)
        known[inner] = [*stamp_of(path), sha]
        brought += 1
    remember(known)
    answer(list=names[0], files=brought)


def make_folder(inner, uid):
    path = JOB
    for name in inner.split("/"):
        path = os.path.join(path, name)
        if not os.path.isdir(path):
            os.mkdir(path, 0o755)
            if uid != "-":
                os.chown(path, int(uid), int(uid))


if __name__ == "__main__":
    # One at a time, so that no two lists get the same number.
    turn = os.open(os.path.join(ROOT, "saving"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(turn, fcntl.LOCK_EX)
    {"save": save, "restore": restore}[sys.argv[1]](*sys.argv[2:])
