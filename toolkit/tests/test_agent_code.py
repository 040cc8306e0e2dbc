"""Code that an agent wrote: cross-validated on the job's folds, believed in nothing, carried by the model."""

import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from job_folder import SEED, JobFolder, code_of, environment
from sproutml_toolkit import check_code, evaluate, lay_out_code, report, train, workspace
from sproutml_toolkit.agent_code import inside, model as code_model, reading
from sproutml_toolkit.agent_code.source import form_of
from sproutml_toolkit.agent_code.trial import refuse_memorised
from sproutml_toolkit.model import fitted_model, load_model, save_model
from sproutml_toolkit.wire import ToolkitError

REMAINDER = """
import numpy as np
def features(frame):
    frame["second"] = frame["c0"] % 60
    frame["kind and sign"] = frame["c2"].fillna("none") + np.where(frame["c0"] > 0, "+", "-")
    return frame
"""
MEANS = """
def fit(frame, target):
    known = target.groupby(frame["c0"] % 60 // 5).mean()
    return {"means": known.to_dict(), "all": float(target.mean()), "rows": len(frame)}
def transform(frame, state):
    means = (frame["c0"] % 60 // 5).map(state["means"]).fillna(state["all"])
    return means.rename("mean of these seconds").to_frame()
"""
PIPELINE = """
import numpy as np
from sklearn.tree import DecisionTreeClassifier
class Model:
    def columns(self, frame):
        return np.nan_to_num((frame["c0"] % 60).to_numpy(float))[:, None]
    def fit(self, frame, target):
        self.inner = DecisionTreeClassifier(min_samples_leaf=15).fit(self.columns(frame), target)
        self.classes_ = self.inner.classes_
    def predict_proba(self, frame):
        return self.inner.predict_proba(self.columns(frame))
def build():
    return Model()
"""


@pytest.fixture(scope="module")
def seconds_table(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """The class is told by where in its minute a second falls: no tree finds that, a remainder does."""
    rng = np.random.default_rng(1)
    seconds, noise = rng.integers(0, 100_000, 700), rng.uniform(1, 100, 700)
    rows = [
        [str(second), f"{other:.3f}" if rng.random() > 0.03 else "", rng.choice(["red", "blue", ""]),
         "yes" if (second % 60 < 25) != (rng.random() < 0.03) else "no"]
        for second, other in zip(seconds, noise, strict=True)
    ]  # fmt: skip
    folder = JobFolder(tmp_path_factory.mktemp("seconds"))
    folder.write_rows(["a", "b", "kind", "early"], rows)
    folder.ready("early")
    folder.train("plain", "LIGHTGBM", params={"rounds": 40})
    return folder


def answered(job: JobFolder, code_id: str, source: str) -> dict[str, str]:
    """Every part's answers, made in this process as the sandbox makes them."""
    with job.inside():
        laid_out = lay_out_code.run({"codeId": code_id, "source": source, "seed": SEED})
        answers = {}
        for part in (["sample"] if laid_out["sample"] else []) + laid_out["parts"]:
            answers[part] = f"scratch/{code_id}/{part}"
            Path(answers[part]).mkdir(parents=True, exist_ok=True)
            inside.run_task({"folder": f"work/code/{code_id}/{part}", "answers": answers[part]})
        if laid_out["sample"]:
            check_code.run({"codeId": code_id, "answers": answers.pop("sample")})
    return answers


def tried(job: JobFolder, code_id: str, source: str, family: str = "LIGHTGBM", drop: list[str] | None = None) -> dict[str, Any]:
    code = {"id": code_id, "answers": answered(job, code_id, source), "drop": drop or []}
    params = {"rounds": 40} if family == "LIGHTGBM" else {}
    return job.train(code_id, family, params=params, code=code)


@pytest.mark.parametrize(
    ("code_id", "source", "family"), [("second", REMAINDER, "LIGHTGBM"), ("means", REMAINDER + MEANS, "LINEAR"), ("whole", PIPELINE, "CODE")]
)
def test_every_form_is_cross_validated_and_its_model_answers_for_new_rows(
    seconds_table: JobFolder, code_id: str, source: str, family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_model, "_current", None)
    result = tried(seconds_table, code_id, source, family)
    assert len(result["foldScores"]) == 4
    assert result["score"] > seconds_table.trial("plain").result["score"] + 0.1
    with seconds_table.inside():
        workspace_oof = workspace.load_oof(code_id)
        assert np.allclose(workspace_oof.sum(axis=1), 1)
        sealed = evaluate.run({"trialId": code_id, "holdout": True, "seed": SEED})
        assert sealed["holdout"]["ROC_AUC"] > 0.8
        holdout = workspace.load_holdout()
        built = fitted_model(code_id)
        scores = built.predict_scores(holdout.X)
        shuffled = np.random.default_rng(0).permutation(len(holdout))
        assert np.allclose(built.predict_scores(holdout.X.iloc[shuffled]), scores[shuffled])
        save_model(built, tmp_path / "model.pkl")
    table = pd.read_csv(seconds_table.folder / "input/data.csv", dtype=str, keep_default_na=False).drop(columns="early")
    table.to_csv(tmp_path / "new.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-m", "sproutml_toolkit", "predict", "--model", "model.pkl", "--input", "new.csv", "--output", "p.csv"],
        capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "this model runs Python that a language model wrote" in done.stderr
    expected = load_model(tmp_path / "model.pkl").predict_probabilities(table)[:, 1]
    assert np.allclose(pd.read_csv(tmp_path / "p.csv")["probability_yes"], expected, atol=1e-8)


def test_no_part_shows_a_target_of_the_rows_it_is_scored_on(seconds_table: JobFolder) -> None:
    answered(seconds_table, "seen", MEANS)
    with seconds_table.inside():
        table, folds = workspace.load_train(), workspace.load_folds()
        shown = pd.read_pickle("work/code/table.pkl")
        assert list(shown.columns) == ["c0", "c1", "c2"]
        for fold in np.unique(folds):
            part = Path(f"work/code/seen/fold-{fold}")
            assert {path.name for path in part.iterdir()} == {
                "spec.json", "code.py", "train.npy", "asked.npy", "probe.npy", "target.npy",
            }  # fmt: skip
            assert np.array_equal(np.load(part / "target.npy"), table.y[folds != fold])
        answered(seconds_table, "blind", REMAINDER)
        assert not list(Path("work/code/blind").rglob("target.npy"))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("def features(frame):\n    return (frame['c0'] - frame['c0'].mean()).rename('centred').to_frame()", "CODE_ROWS_DEPEND"),
        ("def features(frame):\n    frame['row'] = range(len(frame))\n    return frame", "CODE_ROWS_DEPEND"),
        ("def features(frame):\n    return frame", "CODE_OUTPUT_INVALID"),
        ("def nothing(): pass", "CODE_INVALID"),
        ("def features(frame:\n", "CODE_INVALID"),
        ("x = '" + "y" * 30_000 + "'", "CODE_TOO_LONG"),
    ],
)
def test_code_that_breaks_the_rules_is_refused_by_name(seconds_table: JobFolder, body: str, code: str) -> None:
    assert code_of(tried, seconds_table, f"bad-{abs(hash(body))}", body) == code


@pytest.mark.parametrize(
    "body",
    [
        "def features(frame):\n    return frame.head(3)",
        "def features(frame):\n    return 5",
        "import pandas as pd\ndef features(frame):\n    return pd.get_dummies(frame['c2'])",
        "def features(frame):\n    frame['made'] = frame['c2'].str.len().astype(int)\n    return frame",
    ],
)
def test_code_that_can_not_answer_fails_where_it_runs(seconds_table: JobFolder, body: str) -> None:
    with pytest.raises(Exception, match="returned|single row|convert|NA"):
        answered(seconds_table, "fails", body)


def test_columns_can_be_left_out_and_replaced(seconds_table: JobFolder) -> None:
    result = tried(seconds_table, "less", "def features(frame):\n    return frame[['c0']] // 10", drop=["c2"])
    assert "columns left out: kind, a" in result["notes"]
    with seconds_table.inside():
        names = [column.name for column in workspace.load_trial("less").model.members[0].model.encoder._columns]
    assert names == ["b", " c0"]
    with seconds_table.inside():
        asked = {"id": "less", "answers": {"all": "scratch/less/all"}, "drop": ["c9"]}
        assert code_of(seconds_table.train, "more", "LIGHTGBM", code=asked) == "COLUMNS_NOT_FOUND"


def spoil_values(change: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: change(folder / "values.npy")


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def named_twice(path: Path) -> None:
    os.link(path, path.with_name("twin"))


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_pickle(path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, ("touch escaped",)

    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)


def a_plain_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"values": 1}))


def another_shape(path: Path) -> None:
    np.save(path, np.zeros((3, 1)))


def endless_header(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535)


def huge(path: Path) -> None:
    with path.open("ab") as file:
        file.truncate(10**9)


def folder_linked(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.symlink_to(folder.with_name("moved"))


def nonsense_columns(folder: Path) -> None:
    (folder / "columns.json").write_text("[" * 100_000)


def many_columns(folder: Path) -> None:
    entry = {"name": "x", "kind": "number"}
    (folder / "columns.json").write_text(json.dumps([entry | {"name": f"x{i}"} for i in range(5_000)]))


def beyond_the_list(folder: Path) -> None:
    (folder / "columns.json").write_text(json.dumps([{"name": "made", "kind": "category", "categories": ["only"]}]))


@pytest.mark.parametrize(
    "attack",
    [
        *(spoil_values(c) for c in (linked, named_twice, a_pipe, a_pickle, a_plain_pickle, another_shape, endless_header, huge)),
        folder_linked, nonsense_columns, many_columns, beyond_the_list,
    ],
)  # fmt: skip
def test_whatever_hostile_code_leaves_is_refused_and_runs_nothing(
    seconds_table: JobFolder, attack: Callable[[Path], None], tmp_path: Path
) -> None:
    name = f"hostile-{abs(hash(attack))}"
    answers = answered(seconds_table, name, "def features(frame):\n    return (frame['c0'] * 2 + 7).rename('made').to_frame()")
    attack(seconds_table.folder / answers["all"] / "asked")
    with seconds_table.inside():
        asked = {"id": name, "answers": answers, "drop": []}
        assert code_of(train.run, request(name, asked)) == "CODE_OUTPUT_INVALID"
        assert not Path("escaped").exists()


def request(trial_id: str, code: dict[str, Any]) -> dict[str, Any]:
    return {"trialId": trial_id, "family": "LIGHTGBM", "params": {"rounds": 10}, "threads": 1, "seed": SEED, "code": code}


def test_probabilities_are_checked(tmp_path: Path) -> None:
    for values in ([[0.5, 0.6]], [[-0.1, 1.1]], [[np.nan, 1.0]]):
        np.save(tmp_path / "values.npy", np.array(values))
        assert code_of(reading.read_scores, tmp_path, 1, 2) == "CODE_OUTPUT_INVALID"
    np.save(tmp_path / "values.npy", np.array([[0.25, 0.75]]))
    assert reading.read_scores(tmp_path, 1, 2).tolist() == [[0.25, 0.75]]


def test_a_command_runs_no_code_itself_but_asks_the_process_it_is_told_of(
    seconds_table: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried(seconds_table, "served", REMAINDER)
    monkeypatch.setattr(code_model, "_current", None)
    with seconds_table.inside():
        holdout = workspace.load_holdout().X
        expected = fitted_model("served").predict_scores(holdout)
        code_model.never_in_place()
        assert code_of(fitted_model("served").predict_scores, holdout) == "CODE_NOT_RUN"

        for folder in ("work/code/asked", "scratch/asked"):
            Path(folder).mkdir(parents=True)
        order = {"do": "serve", "requests": "work/code/asked", "answers": "scratch/asked"}
        server = subprocess.Popen(
            [sys.executable, "-m", "sproutml_toolkit", "agent-code"], stdin=subprocess.PIPE, text=True, env=environment()
        )
        try:
            server.stdin.write(json.dumps(order) + "\n")
            server.stdin.flush()
            code_model.serve_through({"codeServer": {"requests": "work/code/asked", "answers": "scratch/asked", "seconds": 30}})
            assert np.allclose(fitted_model("served").predict_scores(holdout), expected)
            broken = holdout.assign(kind=5)
            assert code_of(fitted_model("served").predict_scores, broken) == "CODE_FAILED"
            assert np.allclose(fitted_model("served").predict_scores(holdout.iloc[:7]), expected[:7])
        finally:
            server.kill()
            server.wait()


def test_a_process_that_does_not_answer_is_given_up(seconds_table: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    tried(seconds_table, "silent", REMAINDER)
    monkeypatch.setattr(code_model, "_current", None)
    with seconds_table.inside():
        code_model.serve_through({"codeServer": {"requests": "work/code/unheard", "answers": "scratch/unheard", "seconds": 0.2}})
        assert code_of(fitted_model("silent").predict_scores, workspace.load_holdout().X) == "CODE_FAILED"


def test_the_report_shows_the_code_and_the_script_repeats_it(seconds_table: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_model, "_current", None)
    result = tried(seconds_table, "shown", REMAINDER)
    trial = {
        "id": "shown", "name": "Second <b>", "family": "LIGHTGBM", "agent": "TUNER", "origin": "LANGUAGE_MODEL", "isBaseline": False,
        "isBest": True, **{key: result[key] for key in ("score", "foldScores", "fitSeconds", "predictMicrosPerRow", "parameters")},
    }  # fmt: skip
    idea = {
        "id": "shown", "name": "Second <b>", "plan": "One <i>within</i> the other.", "kind": "FEATURES", "source": REMAINDER,
        "repairs": None, "trialId": "shown", "score": result["score"], "error": None,
    }  # fmt: skip
    failed = idea | {"id": "worse", "name": "Lost", "trialId": None, "score": None, "error": "CODE_RAISED: KeyError"}
    with seconds_table.inside():
        report.run(
            {
                "trialId": "shown", "trials": [trial], "history": [], "decisions": [], "log": [], "seconds": 5, "fastModel": None,
                "ideas": [idea, failed], "playbookScore": 0.9,
                "job": {"id": "j", "name": "Seconds", "createdAt": "2026-01-01T00:00:00Z", "targetColumn": "early", "task": "BINARY",
                        "metric": "ROC_AUC", "timeBudgetSeconds": 60, "mind": "LANGUAGE_MODEL", "sandbox": "LOCAL",
                        "datasetName": "data.csv", "instructions": None},
            }
        )  # fmt: skip
        page = Path("out/report.html").read_text()
    assert "frame[&#34;second&#34;]" in page and "One &lt;i&gt;within&lt;/i&gt;" in page and "CODE_RAISED" in page
    assert "the playbook alone reached" in page
    script = subprocess.run(
        [sys.executable, str(seconds_table.folder / "out/pipeline.py"), str(seconds_table.folder / "input/data.csv")],
        capture_output=True, text=True, cwd=tmp_path, env=environment(), check=False,
    )  # fmt: skip
    assert script.returncode == 0, script.stderr
    assert f"cross-validated ROC_AUC: {result['score']:.6f}" in script.stdout


def test_the_form_is_read_from_the_definitions() -> None:
    assert [form_of(text) for text in (REMAINDER, MEANS, PIPELINE)] == ["FEATURES", "FITTED", "PIPELINE"]
    with pytest.raises(ToolkitError):
        form_of("(" * 10_000)


def test_answers_are_remembered_for_the_same_rows_only(seconds_table: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_model, "_current", None)
    tried(seconds_table, "twice", REMAINDER)
    with seconds_table.inside():
        code = workspace.load_trial("twice").model.members[0].code
        X = workspace.load_train().X
        assert code.answers(X)[0] is code.answers(X)[0]
        assert len(code.answers(X.iloc[:5])[0]) == 5
        threads = [threading.Thread(target=code.answers, args=(X,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("metric", "scores", "memorised"),
    [
        ("ROC_AUC", [0.999, 1.0, 0.998, 1.0, 0.71], True),
        ("RMSE", [0.01, 0.012, 0.011, 0.01, 3.0], True),
        ("ROC_AUC", [0.80, 0.84, 0.79, 0.83, 0.74], False),
        ("ROC_AUC", [0.80, 0.84, 0.79, 0.83, 0.95], False),
        ("ROC_AUC", [0.99, 0.4], False),
        ("ROC_AUC", [0.99, None, 0.99, 0.99, 0.5], False),
    ],
)
def test_code_that_knows_the_rows_it_has_seen_by_heart_is_found_out(
    metric: str, scores: list[float | None], memorised: bool
) -> None:
    assert (code_of(refuse_memorised, metric, scores) == "CODE_MEMORISED") == memorised


def test_by_heart_is_only_asked_where_rows_may_be_looked_at(seconds_table: JobFolder) -> None:
    with seconds_table.inside():
        table, folds = workspace.load_train(), workspace.load_folds()
        seen = folds != folds.max()
        known = dict(zip(table.X["a"][seen].astype(int).tolist(), table.y[seen].tolist(), strict=True))
    source = f"KNOWN = {known}\ndef features(frame):\n    return frame['c0'].map(KNOWN).rename('known').to_frame()"
    asked = {"id": "heart", "answers": answered(seconds_table, "heart", source), "drop": []}
    params = {"rounds": 40}
    assert code_of(seconds_table.train, "heart", "LIGHTGBM", params=params, code=asked | {"looked": True}) == "CODE_MEMORISED"
    assert seconds_table.train("heart", "LIGHTGBM", params=params, code=asked)["score"] > 0.8


def test_a_made_column_without_a_value_is_of_its_kind_all_the_same(
    seconds_table: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_model, "_current", None)
    words = "{'red': 'warm', 'blue': 'cold'}"
    tried(seconds_table, "warm", f"def features(frame):\n    return frame['c2'].map({words}).rename('warmth').to_frame()")
    with seconds_table.inside():
        holdout = workspace.load_holdout().X
        built = fitted_model("warm")
        assert built.members[0][1].members[0].code.made == {"warmth": "category"}
        unknown = holdout.head(3).assign(kind=None)
        assert np.isfinite(built.predict_scores(unknown)).all()
