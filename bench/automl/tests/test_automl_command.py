"""The command: goes on where it stopped, keeps what failed apart, and prints who won."""

import json
from pathlib import Path

import pytest
from automl_bench import __main__ as command
from automl_bench.errors import BenchError
from automl_bench.records import Records
from benchmark_folder import system, write_folder

_FAILS = "import sys; sys.exit('cannot')"


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs the command on the small folder with systems `sproutml`, `peer` (both honest), `broken` and `absent`."""
    write_folder(tmp_path)
    seen = tmp_path / "seen.txt"
    seen.touch()

    def resolve(name: str, _interpreter_of: object):
        if name == "absent":
            raise BenchError("PEER_NOT_INSTALLED", "no such package")
        return system(_FAILS, name) if name == "broken" else system(name=name, seen=str(seen))

    monkeypatch.setattr(command, "resolve", resolve)

    def call(*arguments: str) -> tuple[int, int]:
        """(exit code, how many times an honest system was fitted)"""
        before = seen.read_text().count("=== fit request.json")
        base = [str(tmp_path), "--out", str(tmp_path / "out"), "--folds", "3", "--datasets", "value", "--budgets", "5"]
        code = command.main([*base, *arguments])
        return code, seen.read_text().count("=== fit request.json") - before

    return call


def test_what_is_there_is_not_run_again(compare, tmp_path: Path) -> None:
    assert compare("--systems", "sproutml", "--use-folds", "1") == (0, 1)
    assert compare("--systems", "sproutml,peer", "--use-folds", "2") == (0, 3)
    path = tmp_path / "out" / "records.jsonl"
    lines = path.read_text().splitlines()
    assert [(r["system"], r["fold"]) for r in map(json.loads, lines)] == [
        ("sproutml", 0), ("peer", 0), ("sproutml", 1), ("peer", 1),
    ]  # fmt: skip
    # The last line cut short, as by a crash: it alone is run again, and the next line stands by itself.
    path.write_text("\n".join(lines)[:-20])
    assert compare("--systems", "sproutml,peer", "--use-folds", "2") == (0, 1)
    assert len(Records(path).all()) == 4
    # Another budget and another label are other experiments.
    assert compare("--systems", "sproutml:new", "--use-folds", "1", "--budgets", "5,6") == (0, 2)


def test_a_failure_is_kept_until_it_is_asked_for_again(compare, tmp_path: Path) -> None:
    path = tmp_path / "out" / "records.jsonl"
    for arguments, lines in (((), 1), ((), 1), (("--retry-failed",), 2)):
        compare("--systems", "broken", "--use-folds", "1", *arguments)
        assert len(path.read_text().splitlines()) == lines
    assert len(Records(path).all()) == 1


def test_the_tables_say_who_won_and_who_failed(compare, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = compare("--systems", "peer,sproutml,broken", "--use-folds", "2")
    printed = capsys.readouterr().out
    assert code == 0
    by_dataset, overall = printed.split("all datasets")
    assert "value, rmse (lower is better), 2 of 3 folds, budget 5 s" in printed
    rows = {line.split()[0]: line.split() for line in by_dataset.splitlines() if line}
    assert rows["peer"][3:6] == ["1.5", "tie", "p=1.000"]
    assert rows["broken"][1:4] == ["-", "-", "3"]
    summary = {line.split()[0]: line.split() for line in overall.splitlines() if line}
    assert summary["sproutml"] == ["sproutml", "1.50", "1"]
    assert summary["peer"] == ["peer", "1.50", "1", "0", "1", "0", "0", "of", "1", "-"]
    assert summary["broken"] == ["broken", "3.00", "1"]


def test_only_folds_that_all_have_run_are_compared(compare, capsys: pytest.CaptureFixture[str]) -> None:
    compare("--systems", "sproutml", "--use-folds", "3")
    compare("--systems", "peer", "--use-folds", "1")
    capsys.readouterr()
    compare("--systems", "sproutml,peer", "--table-only")
    assert "1 of 3 folds" in capsys.readouterr().out


def test_a_system_that_cannot_be_installed_stops_no_other(compare, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--systems", "absent,peer", "--use-folds", "1") == (1, 1)
    assert "absent is left out: PEER_NOT_INSTALLED: no such package" in capsys.readouterr().err


def test_a_wrong_name_is_told(compare, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare("--systems", "peer", "--datasets", "nope") == (2, 0)
    assert "DATASET_UNKNOWN" in capsys.readouterr().err
