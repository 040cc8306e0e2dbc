"""The peers' Python environments: made here, outside the project, from pinned versions; never a part of the product."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import BenchError

LOCKS = Path(__file__).parent.parent / "environments"
_STAMP = "ready"


def default_folder() -> Path:
    """Where they are kept unless told otherwise: the user's cache."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "sproutml-bench"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sproutml-bench"


def ensure_environment(name: str, folder: Path, python: str) -> str:
    """The interpreter of the environment `environments/NAME.txt` pins, built when it is not there. Takes minutes and gigabytes.

    Another lock or another `python` is another environment. The stamp is written last, so one cut short is built again.
    Raises PEER_NOT_INSTALLED with the end of the installer's output.
    """
    lock = LOCKS / f"{name}.txt"
    version = _output([python, "-c", "import platform; print(platform.python_version())"], name)
    home = folder / f"{name}-{version}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    interpreter = str(home / "bin" / "python")
    if (home / _STAMP).exists():
        return interpreter
    print(f"Installing {name} into {home}", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("uv"):
        _output(["uv", "venv", "--python", python, str(home)], name)
        _output(["uv", "pip", "install", "--python", interpreter, "-r", str(lock)], name)
    else:
        _output([python, "-m", "venv", str(home)], name)
        _output([interpreter, "-m", "pip", "install", "-r", str(lock)], name)
    (home / _STAMP).touch()
    return interpreter


def _output(command: list[str], name: str) -> str:
    # uv brings certificates of its own: behind a company's proxy only the system's will do. The second is its older name.
    trust = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **trust})
    except FileNotFoundError as error:
        raise BenchError("PEER_NOT_INSTALLED", f"{name}: {error}.") from error
    if done.returncode != 0:
        raise BenchError("PEER_NOT_INSTALLED", f"{name}: {' '.join(command)}:\n{done.stderr[-2000:]}")
    return done.stdout.strip()
