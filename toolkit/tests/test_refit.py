"""`refit`: a light model from one trial's configuration, fitted once on all training rows and on no sealed one."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from finished_job import houses, penguins, report_request
from job_folder import QUICK, JobFolder, over_the_wire
from test_predict import predict
from test_report import page_of

from sproutml_toolkit import refit, report, workspace
from sproutml_toolkit.families import _MODULES
from sproutml_toolkit.metrics import score
from sproutml_toolkit.model import load_model
from sproutml_toolkit.report import models

FAMILIES = sorted(set(_MODULES) - {"BASELINE"})


def refitted(job: JobFolder, *trial_ids: str, limit: float = 60, threads: int = 1):
    with job.inside():
        result = refit.run({"trialIds": list(trial_ids), "timeLimitSeconds": limit, "threads": threads, "seed": 3})
        return result, load_model(refit.FAST_MODEL) if result["trialId"] else None


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_from_all_training_rows_at_once(mixed: JobFolder, name: str) -> None:
    mixed.train(f"r-{name}", name, params=QUICK.get(name, {}))
    result, model = refitted(mixed, f"r-{name}")
    assert result["trialId"] == f"r-{name}"
    with mixed.inside():
        train, bagged = workspace.load_train(), workspace.load_scorer(f"r-{name}")
    of_all, of_folds = (score("ROC_AUC", train.y, each.predict_scores(train.X)) for each in (model, bagged))
    assert of_all > 0.6
    # The bag has seen every row too, each of its models most of them: on these rows the two are nearly alike.
    assert abs(of_all - of_folds) < 0.12


def test_no_sealed_row_is_near(job: JobFolder, mixed: JobFolder) -> None:
    """It comes out the same where there is no sealed file to read."""
    mixed.train("l", "LIGHTGBM", params=QUICK["LIGHTGBM"])
    with mixed.inside():
        holdout = workspace.HOLDOUT.read_bytes()
        before = refitted(mixed, "l")[1].predict_scores(workspace.load_train().X)
        workspace.HOLDOUT.unlink()
        try:
            after = refitted(mixed, "l", threads=2)[1].predict_scores(workspace.load_train().X)
        finally:
            workspace.HOLDOUT.write_bytes(holdout)
    assert np.array_equal(before, after)


def test_neighbours_are_all_training_rows(mixed: JobFolder) -> None:
    mixed.train("k", "KNN")
    _, model = refitted(mixed, "k")
    with mixed.inside():
        assert len(model.members[0][1].estimator.y) == len(workspace.load_train())


def test_boosters_take_the_rounds_that_cross_validation_found_and_a_tenth_more(mixed: JobFolder) -> None:
    found = mixed.train("b", "LIGHTGBM", params={"learning_rate": 0.1})["parameters"]["rounds"]
    _, model = refitted(mixed, "b")
    assert model.members[0][1].estimator.text.count("Tree=") == round(1.1 * found)
    found = mixed.train("c", "CATBOOST")["parameters"]["rounds"]
    _, model = refitted(mixed, "c")
    assert model.members[0][1].estimator.model.tree_count_ == round(1.1 * found)


def test_the_first_is_taken_that_fits_the_time_and_none_where_none_does(mixed: JobFolder) -> None:
    for trial_id, seconds in (("r-slow", 9.0), ("r-quick", 0.3)):
        mixed.train(trial_id, "LIGHTGBM", params=QUICK["LIGHTGBM"])
        with mixed.inside():
            result = workspace.load_result(trial_id)
            workspace.save_json(workspace.trial_folder(trial_id) / "result.json", result | {"foldSeconds": seconds})
    assert refitted(mixed, "r-slow", "r-quick", limit=60)[0]["trialId"] == "r-slow"
    assert refitted(mixed, "r-slow", "r-quick", limit=2)[0]["trialId"] == "r-quick"
    result, _ = refitted(mixed, "r-slow", limit=2)
    assert result["trialId"] is None
    assert "about 12.0 s" in result["reason"]  # three folds' rows took 9 s: four's take 12


def test_more_rows_than_a_sample_had_are_expected_to_take_longer(mixed: JobFolder) -> None:
    mixed.train("l", "LIGHTGBM", params=QUICK["LIGHTGBM"])
    with mixed.inside():
        file, rows = workspace.trial_folder("l") / "result.json", len(workspace.load_train())
        result = workspace.load_json(file)
        whole = refit._expected_seconds("l", rows)
        assert whole == pytest.approx(result["foldSeconds"] * rows / (rows * 3 / 4), rel=0.02)
        workspace.save_json(file, result | {"foldRows": result["foldRows"] / 4})
        assert refit._expected_seconds("l", rows) == pytest.approx(4 * whole)


def test_it_is_served_over_the_wire(mixed: JobFolder) -> None:
    mixed.train("w", "LINEAR")
    code, lines = over_the_wire(mixed.folder, "refit", {"trialIds": ["w"], "timeLimitSeconds": 9, "threads": 1, "seed": 1})
    assert code == 0
    assert lines[-1]["result"]["trialId"] == "w"


def test_sharpened_probabilities_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(penguins())
    trial = workspace.load_trial("l")
    sharpened = workspace.Trial(trial.result, trial.oof, type("", (), {"temperature": 0.5})())
    monkeypatch.setattr(workspace, "load_scorer", lambda trial_id: sharpened.model)
    refit.run({"trialIds": ["l"], "timeLimitSeconds": 60, "threads": 1, "seed": 1})
    assert load_model(refit.FAST_MODEL).temperature == 0.5


@pytest.mark.parametrize(("job", "best_single"), [(penguins, "l"), (houses, "k")])
def test_the_report_sets_both_models_side_by_side(job, best_single, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(job())
    refit.run({"trialIds": [best_single], "timeLimitSeconds": 60, "threads": 1, "seed": 1})
    request = report_request(job()) | {"fastModel": {"trialId": best_single, "reason": None}}
    files = {entry["name"]: entry for entry in report.run(request)["files"]}
    assert files["model-fast.pkl"]["kind"] == "MODEL"
    best, fast = json.loads(Path("out/metrics.json").read_text())["models"]
    assert (best["file"], fast["file"]) == ("model.pkl", "model-fast.pkl")
    assert [best["bytes"], fast["bytes"]] == [Path("out", each["file"]).stat().st_size for each in (best, fast)]
    assert fast["bytes"] < best["bytes"] / 2
    assert 0 < fast["microsPerRow"] < best["microsPerRow"]
    holdout, metric = workspace.load_holdout(), workspace.load_profile()["metric"]
    assert best["holdout"] == pytest.approx(json.loads(Path("out/metrics.json").read_text())["holdout"][metric])
    model = load_model("out/model-fast.pkl")
    assert fast["holdout"] == pytest.approx(score(metric, holdout.y, model.predict_scores(holdout.X)))
    assert "Use it where speed or size counts" in page_of(job()).text
    with Path("input/data.csv").open(newline="") as table:
        rows = list(csv.reader(table))
    (tmp_path / "new.csv").write_text("\n".join(",".join(row) for row in rows[:6]))
    done = predict(tmp_path, "--model", str(Path.cwd() / "out/model-fast.pkl"), "--input", "new.csv", "--output", "p.csv")
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 6


def test_without_a_light_model_the_report_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(houses())
    Path("out/model-fast.pkl").unlink(missing_ok=True)
    request = report_request(houses()) | {"fastModel": {"trialId": None, "reason": "the clock ran out"}}
    assert "model-fast.pkl" not in {entry["name"] for entry in report.run(request)["files"]}
    assert "the clock ran out" in page_of(houses()).text
    assert json.loads(Path("out/metrics.json").read_text())["models"] == []


@pytest.mark.parametrize("sampled", [True, False])
def test_all_training_rows_of_a_sampled_table_are_not_called_all_rows(sampled: bool) -> None:
    warnings = [{"code": "ROWS_SAMPLED" if sampled else "FEW_ROWS", "message": "so", "columns": []}]
    findings = SimpleNamespace(metric="RMSE", train=range(80), profile={"warnings": warnings}, members=[])
    text = models.render(findings, [models.ModelFile(file, "LightGBM", 1.0, 10, 1.0) for file in ("model.pkl", "model-fast.pkl")])["text"]
    assert "fitted once on all 80 training rows" in text
    assert ("rows of those that were drawn:" in text) == sampled


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([{"sampled": True, "foldRows": 9_000}], "model.pkl learnt from 9,000 rows a fold and not from all"),
        (
            [{"sampled": True, "foldRows": 9_000}, {"sampled": False, "foldRows": 80_000}, {"sampled": True, "foldRows": 7_000}],
            "2 of the 3 models in model.pkl learnt from 7,000 to 9,000 rows a fold",
        ),
        ([{"sampled": False, "foldRows": 80_000}], None),
    ],
)
def test_models_that_learnt_from_a_part_of_the_rows_are_said_to(members: list[dict], said: str | None) -> None:
    findings = SimpleNamespace(fast_reason="the clock ran out", members=members)
    text = models.render(findings, [])["text"]
    assert said in text if said else "learnt" not in text


def test_what_is_adjusted_in_the_bag_is_adjusted_in_the_light_model(job: JobFolder) -> None:
    """A family that learns the mean is shifted to the quantile asked for; without the shift half of the values lay above."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 10, 600)
    job.write_rows(["x", "y"], [[f"{a:.3f}", f"{b:.3f}"] for a, b in zip(x, x + rng.normal(0, 2, 600), strict=True)])
    job.ready("y", metric="PINBALL", quantile=0.9)
    job.train("l", "LIGHTGBM", params={"rounds": 40, "mean": True})
    model = refitted(job, "l")[1]
    with job.inside():
        train = workspace.load_train()
    assert 0.8 < (train.y <= model.predict_scores(train.X)).mean() < 0.99
