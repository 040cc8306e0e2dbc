"""`evaluate`: the honest score, what surrounds it, and where the model is weak."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_job import SEED, SCRIPT_HEADER, hostile, houses, penguins

from sproutml_toolkit import evaluate, train, workspace
from sproutml_toolkit.caveats import caveats
from sproutml_toolkit.importance import permutation_importance
from sproutml_toolkit.metrics import METRICS_OF_TASK, is_lower_better, score
from sproutml_toolkit.slices import worst_slices
from sproutml_toolkit.speed import TimedModel

JOBS = [penguins, hostile, houses]


@pytest.mark.parametrize("job", JOBS)
def test_scores_sealed_rows_with_an_interval_and_the_baseline_beside_it(job, monkeypatch) -> None:
    monkeypatch.chdir(job())
    found = evaluate.run({"trialId": "e", "holdout": True, "seed": SEED})
    metric, sign = found["metric"], -1 if is_lower_better(found["metric"]) else 1
    assert found["interval"]["low"] <= found["holdout"][metric] <= found["interval"]["high"]
    assert sign * found["holdout"][metric] > sign * found["baseline"]["holdout"]
    assert sign * found["validation"][metric] > sign * found["baseline"]["validation"]
    assert found["gap"] == pytest.approx(sign * (found["validation"][metric] - found["holdout"][metric]))
    assert set(found["validation"]) == set(METRICS_OF_TASK[workspace.load_profile()["task"]]) - {"PINBALL"}


@pytest.mark.parametrize("job", JOBS)
def test_gives_the_trial_the_same_validation_score_as_training_did(job, monkeypatch) -> None:
    monkeypatch.chdir(job())
    found = evaluate.run({"trialId": "l", "holdout": False, "seed": SEED})
    assert found["validation"][found["metric"]] == workspace.load_trial("l").result["score"]


def test_says_the_same_twice(monkeypatch) -> None:
    monkeypatch.chdir(houses())
    request = {"trialId": "e", "holdout": True, "seed": SEED, "timeLimitSeconds": 60}
    found = []
    for _ in range(2):
        result = json.dumps(evaluate.run(request))
        found.append((result, evaluate.HOLDOUT_EVALUATION.read_bytes()))
    assert found[0] == found[1]
    kept = json.loads(found[0][1])
    assert kept["partialDependence"] and kept["learningCurve"] and kept["examples"]["walks"] and not kept["cut"]


def test_a_model_too_slow_for_its_explanations_is_said_to_be(monkeypatch) -> None:
    monkeypatch.chdir(houses())
    before = evaluate.HOLDOUT_EVALUATION.read_bytes()
    try:
        evaluate.run({"trialId": "e", "holdout": True, "seed": SEED, "timeLimitSeconds": 1e-6})
        kept = json.loads(evaluate.HOLDOUT_EVALUATION.read_bytes())
    finally:
        evaluate.HOLDOUT_EVALUATION.write_bytes(before)
    assert kept["partialDependence"] is None and kept["examples"]["walks"] == 0
    assert any("did not suffice" in words for words in kept["cut"]) and any("too slow" in words for words in kept["cut"])
    assert kept["holdout"] is not None and len(kept["examples"]["rows"]) == 6


def test_never_opens_the_sealed_rows_unless_asked(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "job"
    shutil.copytree(penguins(), folder)
    shutil.rmtree(folder / "sealed")
    monkeypatch.chdir(folder)
    found = evaluate.run({"trialId": "e", "holdout": False, "seed": SEED})
    assert found["holdout"] is None and found["interval"] is None and found["importances"] is None
    assert not (folder / "sealed").exists()


def test_finds_that_the_column_with_the_signal_matters_and_the_noise_does_not(monkeypatch) -> None:
    monkeypatch.chdir(hostile())
    importances = {entry["feature"]: entry for entry in evaluate.run({"trialId": "l", "holdout": True, "seed": SEED})["importances"]}
    assert next(iter(importances)) == SCRIPT_HEADER
    assert importances[SCRIPT_HEADER]["low"] > 0
    assert importances["_noise"]["low"] <= 0
    assert all(entry["low"] <= entry["mean"] <= entry["high"] for entry in importances.values())


def test_stops_measuring_importance_when_its_time_is_out_and_names_what_is_left() -> None:
    class Slow:
        calls = 0

        def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
            self.calls += 1
            clock[0] += 0.01 * len(X)
            return X["c0"].to_numpy()

    clock = [0.0]  # one look at every column would take 50 s
    columns = {f"c{number}": np.random.default_rng(number).normal(size=300) for number in range(50)}
    model, X = TimedModel(Slow()), pd.DataFrame(columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sproutml_toolkit.importance.time.monotonic", lambda: clock[0])
        model.warm_up(X)
        found = permutation_importance(
            model, X, X["c0"].to_numpy(), X["c0"].to_numpy(), "RMSE", None, list(X), model.speed(), SEED, time_limit_seconds=10.0
        )
    assert clock[0] < 33
    assert found.rows == 100
    assert found.entries[0].feature == "c0"
    assert set(found.unmeasured) | {entry.feature for entry in found.entries} == set(X)
    assert found.unmeasured


def test_once_each_column_was_looked_at_importance_keeps_to_its_time() -> None:
    class Slow:
        def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
            clock[0] += 0.005 * len(X)
            return X["c0"].to_numpy()

    clock = [0.0]  # a look at every column takes 4 s, all five 20 s
    model, X = TimedModel(Slow()), pd.DataFrame({f"c{number}": np.random.default_rng(number).normal(size=200) for number in range(8)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sproutml_toolkit.importance.time.monotonic", lambda: clock[0])
        model.warm_up(X)
        begun = clock[0]
        found = permutation_importance(
            model, X, X["c0"].to_numpy(), X["c0"].to_numpy(), "RMSE", None, list(X), model.speed(), SEED, time_limit_seconds=10.0
        )
    assert not found.unmeasured
    assert clock[0] - begun <= 10.5


def test_names_the_group_of_rows_the_model_fails_on() -> None:
    rng = np.random.default_rng(0)
    region = rng.choice(["north", "south", "west"], 900)
    y = rng.normal(size=900)
    scores = y + rng.normal(0, np.where(region == "south", 2.0, 0.2))
    X = pd.DataFrame({"region": region, "noise": rng.normal(size=900)})
    worst = worst_slices("RMSE", X, y, scores, SEED)
    assert [entry.slice for entry in worst] == ["region = south"]
    assert worst[0].rows == (region == "south").sum()
    assert worst[0].score == pytest.approx(score("RMSE", y[region == "south"], scores[region == "south"]))


def test_blames_no_group_for_what_chance_explains() -> None:
    rng = np.random.default_rng(5)
    X = pd.DataFrame({f"c{number}": rng.normal(size=500) for number in range(10)})
    y = rng.normal(size=500)
    assert len(worst_slices("RMSE", X, y, y + rng.normal(size=500), SEED)) <= 1


def base_evaluation() -> dict:
    return {
        "metric": "ROC_AUC",
        "validation": {"ROC_AUC": 0.80},
        "baseline": {"validation": 0.5, "holdout": 0.5},
        "holdout": {"ROC_AUC": 0.80},
        "interval": {"low": 0.75, "high": 0.85},
        "gap": 0.0,
        "importances": [{"feature": "a", "mean": 0.2, "low": 0.1, "high": 0.3}, {"feature": "b", "mean": 0.1, "low": 0.0, "high": 0.2}],
        "rows": 500,
    }


BINARY = {"task": "BINARY", "classes": [{"label": "no"}, {"label": "yes"}]}
Y, OOF = np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"validation": {"ROC_AUC": 0.90}, "gap": 0.10}, "VALIDATION_OPTIMISTIC"),
        ({"validation": {"ROC_AUC": 0.70}, "gap": -0.10}, "HOLDOUT_EASIER"),
        ({"interval": {"low": 0.45, "high": 0.82}}, "NOT_BETTER_THAN_BASELINE"),
        ({"interval": {"low": 0.5004, "high": 0.82}}, "NOT_BETTER_THAN_BASELINE"),
        ({"interval": None, "holdout": None, "rows": None, "validation": {"ROC_AUC": 0.5}}, "NOT_BETTER_THAN_BASELINE"),
        ({"rows": 20}, "HOLDOUT_SMALL"),
        (
            {
                "validation": {"ROC_AUC": 0.999},
                "holdout": {"ROC_AUC": 0.999},
                "interval": {"low": 0.99, "high": 1.0},
                "importances": [{"feature": "id", "mean": 0.49}, {"feature": "b", "mean": 0.001}],
            },
            "TOO_GOOD",
        ),
    ],
)
def test_warns_of_what_would_mislead_a_reader(change: dict, code: str) -> None:
    assert caveats(base_evaluation(), BINARY, Y, OOF) == []
    assert [warning["code"] for warning in caveats(base_evaluation() | change, BINARY, Y, OOF)] == [code]


@pytest.mark.parametrize(
    ("metric", "counts", "said"),
    [
        ("BALANCED_ACCURACY", [400, 90, 4, 1], ['"d" has 1', '"c" has 4', "up to 0.25"]),
        ("F1_MACRO", [400, 90, 30, 2], ['"d" has 2', "up to 0.12"]),
        ("BALANCED_ACCURACY", [400, 90, 30, 6], None),
        ("BALANCED_ACCURACY", [400, 90, 30, 0], None),
        ("ACCURACY", [400, 90, 4, 1], None),
    ],
)
def test_warns_where_single_rows_of_a_class_decide(metric: str, counts: list[int], said: list[str] | None) -> None:
    change = {"metric": metric, "rowsOfClass": counts, "validation": {metric: 0.8}, "holdout": {metric: 0.8}}
    profile = {"task": "MULTICLASS", "classes": [{"label": label} for label in "abcd"]}
    found = caveats(base_evaluation() | change, profile, np.arange(4), np.eye(4))
    assert [warning["code"] for warning in found] == (["FEW_ROWS_DECIDE"] if said else [])
    assert all(words in found[0]["message"] for words in said or [])


@pytest.mark.parametrize("validation", [0.90, 0.70])
def test_a_gap_that_chance_in_validation_explains_is_none(validation: float) -> None:
    """Few training rows: their score is as unsure as the sealed ones'."""
    change = {"validation": {"ROC_AUC": validation}, "gap": validation - 0.80}
    unsure = {"validationInterval": {"low": validation - 0.09, "high": validation + 0.09}}
    assert len(caveats(base_evaluation() | change, BINARY, Y, OOF)) == 1
    assert caveats(base_evaluation() | change | unsure, BINARY, Y, OOF) == []


def test_warns_of_a_class_the_model_never_names() -> None:
    [warning] = caveats(base_evaluation(), BINARY, Y, np.array([[0.9, 0.1], [0.6, 0.4]]))
    assert warning["code"] == "CLASS_NEVER_PREDICTED" and "yes" in warning["message"]


@pytest.mark.parametrize("job", JOBS)
def test_the_baseline_stands_in_the_evaluation_as_it_stands_on_the_leaderboard(job, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "job"
    shutil.copytree(job(), folder)
    monkeypatch.chdir(folder)
    baseline = train.run({"trialId": "prior", "family": "BASELINE", "params": {}, "seed": SEED})
    assert evaluate.run({"trialId": "l", "holdout": False, "seed": SEED})["baseline"]["validation"] == baseline["score"]
