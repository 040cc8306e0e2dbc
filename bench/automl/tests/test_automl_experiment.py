"""One experiment: what a system is given, and that whatever it does wrong becomes a line."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from automl_bench import experiment as experiments
from automl_bench.experiment import Experiment, run
from automl_bench.systems import System
from automl_bench.watch import run_watched
from benchmark_folder import ROWS, dataset, system, write_folder

TEST_ROWS = np.arange(0, ROWS, 3)


def run_one(folder: Path, which: System, name: str = "value") -> dict:
    experiment = Experiment(dataset(write_folder(folder), name), 3, 0, TEST_ROWS, 5.0, 2)
    return run(experiment, which, folder / "logs" / "run.log")


def test_a_system_never_sees_the_test_rows_targets_nor_their_features_before_it_is_fitted(tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    record = run_one(tmp_path, system(seen=str(seen)))
    assert record["error"] is None
    fitting, predicting = seen.read_text().split("=== predict", 1)
    for row in range(ROWS):
        target, feature = f"7{row:03d}.25", f"row{row:03d}"
        is_test = row in TEST_ROWS
        assert (target in fitting) == (not is_test)
        assert (feature in fitting) == (not is_test)
        assert (feature in predicting) == is_test
        if is_test:
            assert target not in predicting
    assert "leak" not in seen.read_text()


def test_a_line_has_every_figure(tmp_path: Path) -> None:
    record = run_one(tmp_path, system(seen=str(tmp_path / "seen.txt")), "three")
    assert record["score"] == pytest.approx(-np.log(1 / 3))
    assert (record["train_seconds"], record["predict_micros_per_row"], record["notes"]) == (1.5, 2.0, {"a": 1})
    assert record["model_bytes"] == len('["rare", "x", "y"]')
    assert (record["system"], record["version"], record["fold"], record["budget_seconds"]) == ("honest", "1.0", 0, 5.0)


@pytest.mark.parametrize(
    ("program", "code", "said"),
    [
        ("import sys; print('out of ideas'); sys.exit(3)", "SYSTEM_FAILED", "fit ended with code 3: out of ideas"),
        ("pass", "SYSTEM_FAILED", "fit ended with code 0: no word"),
        (
            "import sys, pathlib\nif sys.argv[1] == 'predict': raise ValueError('no such row')\n"
            "pathlib.Path(sys.argv[2], 'fit.json').write_text('{\"train_seconds\": 1, \"notes\": {}}')",
            "SYSTEM_FAILED",
            "predict ended with code 1: ValueError: no such row",
        ),
        (
            "import sys, pathlib\nverb, folder = sys.argv[1:]\n"
            "pathlib.Path(folder, verb + '.json').write_text('{\"train_seconds\": 1, \"notes\": {}, \"micros_per_row\": 1}')",
            "PREDICTIONS_INVALID",
            "no predictions.csv was written.",
        ),
    ],
)
def test_a_system_that_fails_is_a_line_with_its_error(tmp_path: Path, program: str, code: str, said: str) -> None:
    record = run_one(tmp_path, system(program))
    assert record["score"] is None
    assert record["error"] == {"code": code, "message": said}


def test_a_system_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "_FIT_FACTOR", 0)
    monkeypatch.setattr(experiments, "_FIT_GRACE_SECONDS", 0.3)
    record = run_one(tmp_path, system("import time; time.sleep(60)"))
    assert record["error"]["code"] == "TIMED_OUT"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are watched by /proc")
def test_memory_is_of_all_processes_and_none_is_left(tmp_path: Path) -> None:
    child = "import time; kept = b'x' * 40_000_000; time.sleep(60)"
    program = (
        "import subprocess, sys, time\n"
        f"left = subprocess.Popen([sys.executable, '-S', '-c', {child!r}], start_new_session=True)\n"
        "open('pid', 'w').write(str(left.pid)); time.sleep(0.6)\n"
    )
    command = list(system(program).fit)
    done = run_watched(
        command, limit_seconds=30, log=tmp_path / "log", folder=tmp_path, environment=dict(os.environ)
    )
    assert done.exit_code == 0
    assert done.peak_bytes > 40_000_000
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 2
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()
