"""Each command keeps PROTOCOL.md over the real wire: JSON lines, exit codes, whole files."""

import json
from pathlib import Path

import numpy as np
import pytest
from job_folder import SEED, JobFolder, code_of, over_the_wire
from sproutml_toolkit import commands, wire, workspace

INPUT = {"path": "input/data.csv", "delimiter": ",", "encoding": "utf-8", "compression": None}


def test_a_job_runs_from_profile_to_ensemble(mixed: JobFolder, tmp_path: Path) -> None:
    job = JobFolder(tmp_path).write((mixed.folder / "input/data.csv").read_bytes())
    requests = {
        "profile": {"input": INPUT, "target": "bought", "ignoreColumns": ["flag"], "task": None, "metric": None, "seed": SEED},
        "split": {"holdoutFraction": 0.25, "folds": 3, "seed": SEED},
        "prepare": {"seed": SEED},
        "train": {"trialId": "t1", "family": "LIGHTGBM", "params": {}, "timeLimitSeconds": 60, "threads": 2, "seed": SEED},
        "ensemble": {"trialId": "e1", "trialIds": ["t1"], "rounds": 5},
    }
    results = {}
    for command, request in requests.items():
        code, lines = over_the_wire(job.folder, command, request)
        assert code == 0, lines
        assert [line["type"] for line in lines].index("result") == len(lines) - 1
        fractions = [line["fraction"] for line in lines if line["type"] == "progress"]
        assert all(0.0 <= fraction <= 1.0 for fraction in fractions)
        assert fractions == sorted(fractions)
        results[command] = lines[-1]["result"]
    roles = {column["name"]: column["role"] for column in results["profile"]["columns"]}
    assert roles["bought"] == "target"
    assert roles["flag"] == "ignored"
    assert results["split"]["holdoutRows"] == 40
    assert results["ensemble"]["weights"] == {"t1": 1.0}
    assert not list(job.folder.rglob("*.part"))


def test_a_coded_error_is_the_last_line_and_exits_2(job: JobFolder) -> None:
    job.write("prize,rooms\n1,2\n")
    code, lines = over_the_wire(job.folder, "profile", {"input": INPUT, "target": "price"})
    assert code == 2
    assert lines[-1]["code"] == "TARGET_NOT_FOUND"
    assert lines[-1]["message"] == 'no column "price"; did you mean "prize"?'


@pytest.mark.parametrize("command", ["train", "split", "prepare", "ensemble"])
def test_a_command_run_too_early_says_which_step_is_missing(job: JobFolder, command: str) -> None:
    request = {"trialId": "t", "family": "KNN", "trialIds": ["t"]}
    with job.inside():
        assert code_of(commands.command(command), request) == "STEP_MISSING"


def test_a_bug_exits_1_with_its_traceback(job: JobFolder) -> None:
    code, lines = over_the_wire(job.folder, "profile", {})
    assert (code, lines[-1]["code"]) == (1, "TOOLKIT_BUG")
    assert "KeyError" in lines[-1]["message"]


def test_a_trial_id_cannot_lead_out_of_the_folder(mixed: JobFolder) -> None:
    assert code_of(mixed.train, "../../sealed/x", "BASELINE") == "REQUEST_INVALID"


def test_what_is_not_finite_is_null_and_framing_survives_any_text(capsys: pytest.CaptureFixture[str]) -> None:
    wire.emit({"type": "result", "result": {"a": np.float64("nan"), "b": np.array([1, 2]), "c": "x\u2028\ny", "d": np.inf}})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["result"] == {"a": None, "b": [1, 2], "c": "x\u2028\ny", "d": None}


def test_a_write_that_fails_leaves_the_old_file(job: JobFolder) -> None:
    path = job.folder / "file.json"
    workspace.save_json(path, {"old": True})
    with pytest.raises(RuntimeError), workspace.atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"old": True}
    assert list(job.folder.iterdir()) == [path]


def test_a_reader_of_the_old_file_never_sees_half_of_the_new(job: JobFolder) -> None:
    path = job.folder / "file.json"
    workspace.save_json(path, {"old": True})
    with path.open() as reader:
        workspace.save_json(path, {"new": True})
        assert json.load(reader) == {"old": True}
    assert json.loads(path.read_text()) == {"new": True}
