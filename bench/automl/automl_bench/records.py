"""The results: one JSON line for each dataset, fold, budget and system. What is there is not run again."""

import json
import os
from pathlib import Path
from typing import NamedTuple


class Key(NamedTuple):
    """What makes two lines the same experiment."""

    dataset: str
    sha256: str
    folds: int
    fold: int
    budget_seconds: float
    system: str


class Records:
    """The lines of a file that only grows. Of two lines with the same key the later one counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_key: dict[Key, dict] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = _parse(line)
                if record is not None:
                    self._by_key[key_of(record)] = record

    def get(self, key: Key) -> dict | None:
        return self._by_key.get(key)

    def all(self) -> list[dict]:
        return list(self._by_key.values())

    def add(self, record: dict) -> None:
        """Appends and syncs: a line is there whole, or is read as not there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            # A line cut short by a crash must not swallow the next one.
            if file.tell() > 0 and _last_byte(file) != b"\n":
                file.write(b"\n")
            file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._by_key[key_of(record)] = record


def key_of(record: dict) -> Key:
    return Key(*(record[name] for name in Key._fields))


def _last_byte(file) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def _parse(line: str) -> dict | None:
    try:
        return json.loads(line)
    except ValueError:
        return None
