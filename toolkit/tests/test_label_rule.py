"""Labels for F1 and its like: a rule chosen on out-of-fold scores, honest about its score, the same wherever labels are said."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_folder import JobFolder, environment
from sproutml_toolkit import evaluate, report, workspace
from sproutml_toolkit.bootstrap import interval
from sproutml_toolkit.importance import permutation_importance
from sproutml_toolkit.label_rule import METRICS, LabelRule, find_rule, rule_of, threshold, weighed, weighed_oof
from sproutml_toolkit.metrics import METRICS_OF_TASK, labels, score
from sproutml_toolkit.model import describe, fitted_model, load_model
from sproutml_toolkit.pipeline_code import pipeline_code
from sproutml_toolkit.report.words import rule_sentence
from sproutml_toolkit.speed import TimedModel


def rare(rows: int, seed: int = 0, classes: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets of which class 0 is common, probabilities that are the truth, and folds."""
    rng = np.random.default_rng(seed)
    truth = rng.dirichlet([2.0] + [0.3] * (classes - 1), rows)
    y = np.array([rng.choice(classes, p=row) for row in truth])
    return y, truth, np.arange(rows) % 5


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """A metric and a small table that may lack a class in a fold, or altogether, or have a class of a single row."""
    classes, rows = draw(st.integers(2, 5)), draw(st.integers(4, 40))
    metric = draw(st.sampled_from(sorted(METRICS if classes == 2 else METRICS - {"F1"})))
    numbers = st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)
    y, folds = np.array(draw(numbers)), np.array(draw(numbers)) % 3
    cells = st.one_of(st.sampled_from([0.0, 1e-12, 0.5, 1.0]), st.floats(0, 1))
    scores = np.array(draw(st.lists(cells, min_size=rows * classes, max_size=rows * classes))).reshape(rows, classes) + 1e-9
    return metric, y, scores / scores.sum(axis=1, keepdims=True), folds


@settings(max_examples=60, deadline=None)
@given(tables())
def test_weights_are_finite_and_positive_and_never_make_the_score_worse(table) -> None:
    metric, y, scores, folds = table
    before = scores.copy()
    rule = find_rule(metric, y, scores, folds)
    assert np.array_equal(scores, before)
    if rule is None:
        return
    weights = np.array([rule.weights, *rule.of_folds])
    assert weights.shape == (1 + len(np.unique(folds)), scores.shape[1])
    assert np.isfinite(weights).all() and (weights > 0).all()
    decisive = weighed_oof(rule, scores, folds)
    assert np.isfinite(decisive).all() and np.allclose(decisive.sum(axis=1), 1.0)
    assert score(metric, y, decisive) > score(metric, y, scores)


@settings(max_examples=60, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(table, random) -> None:
    metric, y, scores, folds = table
    order = np.array(random.sample(range(len(y)), len(y)))
    one, other = find_rule(metric, y, scores, folds), find_rule(metric, y[order], scores[order], folds[order])
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert np.allclose(one.weights, other.weights)
        assert np.allclose(one.of_folds, other.of_folds)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_fold_is_answered_by_what_the_other_folds_say(classes: int) -> None:
    y, scores, folds = rare(600, classes=classes)
    first = folds == 0
    flipped = y.copy()
    flipped[np.flatnonzero(first)[:30]] = 1
    one, other = (find_rule("F1_MACRO", target, scores, folds) for target in (y, flipped))
    assert one is not None and other is not None
    assert one.of_folds[0] == other.of_folds[0]
    assert one.of_folds[1] != other.of_folds[1]


@pytest.mark.parametrize(("metric", "classes"), [(metric, 2) for metric in sorted(METRICS)] + [("BALANCED_ACCURACY", 4), ("F1_MACRO", 4)])
def test_it_raises_the_metric_on_new_rows_as_much_as_it_says(metric: str, classes: int) -> None:
    y, scores, folds = rare(3_000, classes=classes)
    rule = find_rule(metric, y, scores, folds)
    assert rule is not None
    new_y, new_scores, _ = rare(20_000, seed=1, classes=classes)
    said = score(metric, y, weighed_oof(rule, scores, folds))
    new = score(metric, new_y, weighed(new_scores, rule.weights))
    assert new > score(metric, new_y, new_scores)
    assert new == pytest.approx(said, abs=0.03)


def test_of_true_probabilities_it_finds_the_thresholds_that_theory_tells() -> None:
    y, scores, folds = rare(20_000)
    balanced, f1 = (find_rule(metric, y, scores, folds) for metric in ("BALANCED_ACCURACY", "F1"))
    assert balanced is not None and f1 is not None
    assert threshold(balanced.weights) == pytest.approx((y == 1).mean(), abs=0.04)
    best = score("F1", y, weighed(scores, f1.weights))
    assert threshold(f1.weights) == pytest.approx(best / 2, abs=0.04)


@pytest.mark.parametrize("metric", sorted({*METRICS_OF_TASK["BINARY"], *METRICS_OF_TASK["REGRESSION"]} - METRICS))
def test_other_metrics_have_no_use_for_it(metric: str) -> None:
    assert find_rule(metric, *rare(200)) is None


def test_what_is_right_already_is_left_alone() -> None:
    y = np.arange(100) % 2
    scores = np.where(np.eye(2)[y] == 1, 0.9, 0.1)
    assert find_rule("F1", y, scores, np.arange(100) % 5) is None


@pytest.mark.parametrize("classes", [2, 7, 30])
def test_it_is_quick_whatever_the_table(classes: int) -> None:
    rng = np.random.default_rng(0)
    rows = 300_000
    scores = rng.dirichlet(np.ones(classes), rows)
    y = rng.choice(classes, rows, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    started = time.process_time()
    find_rule("F1_MACRO", y, scores, np.arange(rows) % 8)
    assert time.process_time() - started < 3.0


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A job for F1 with one row in eight positive, scored to its end and reported."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(700, 3))
    left = x[:, 0] + 0.8 * x[:, 1] + rng.normal(size=700) > 1.9
    rows = [[*(f"{value:.3f}" for value in row), "yes" if gone else "no"] for row, gone in zip(x, left, strict=True)]
    job = JobFolder(tmp_path_factory.mktemp("churn")).write_rows([*"abc", "left"], rows).ready("left", metric="F1")
    job.train("base", "BASELINE")
    job.train("linear", "LINEAR")
    job.train("forest", "EXTRA_TREES", params={"n_estimators": 40})
    job.ensemble("both", ["linear", "forest"])
    return job


@pytest.mark.parametrize("trial_id", ["linear", "forest", "both"])
def test_a_trial_s_score_is_that_of_its_own_labels_and_its_probabilities_are_untouched(churn: JobFolder, trial_id: str) -> None:
    with churn.inside():
        trial, folds, train = workspace.load_trial(trial_id), workspace.load_folds(), workspace.load_train()
        rule = rule_of(trial.result)
        assert rule is not None and threshold(rule.weights) < 0.5
        decisive = weighed_oof(rule, trial.oof, folds)
        assert trial.result["score"] == score("F1", train.y, decisive) > score("F1", train.y, trial.oof)
        assert trial.result["foldScores"] == [score("F1", train.y[folds == fold], decisive[folds == fold]) for fold in range(4)]
        assert any("yes is answered from a probability of 0." in note for note in trial.result["notes"])
        model, X = fitted_model(trial_id), workspace.load_holdout().X
        probabilities = trial.model.predict_scores(X)
        assert np.allclose(model.predict_scores(X), probabilities)
        assert (model.predict(X) == np.where(probabilities[:, 1] > threshold(rule.weights), "yes", "no")).all()
        assert describe(model)["labelRule"]["threshold"] == threshold(rule.weights)


def test_the_baseline_may_answer_the_rare_class_too(churn: JobFolder) -> None:
    with churn.inside():
        share = (workspace.load_train().y == 1).mean()
    assert churn.trial("base").result["score"] == pytest.approx(2 * share / (1 + share))


def test_every_part_of_a_finished_job_says_the_same_labels(churn: JobFolder) -> None:
    with churn.inside():
        found = evaluate.run({"trialId": "both", "holdout": True, "seed": 3})
        holdout, trial = workspace.load_holdout(), workspace.load_trial("both")
        model = fitted_model("both")
        weights = model.label_weights
        said = model.predict(holdout.X)
        assert found["validation"]["F1"] == trial.result["score"]
        assert found["baseline"]["validation"] == churn.trial("base").result["score"]
        truth = np.array(["no", "yes"])[holdout.y]
        right = float((said == truth).mean())
        assert found["holdout"]["ACCURACY"] == pytest.approx(right)
        hits = ((said == "yes") & (truth == "yes")).sum()
        assert found["holdout"]["F1"] == pytest.approx(2 * hits / ((said == "yes").sum() + (truth == "yes").sum()))
        assert found["holdout"]["LOG_LOSS"] == pytest.approx(score("LOG_LOSS", holdout.y, model.predict_scores(holdout.X)))
        spread = interval("F1", holdout.y, model.weighed(model.predict_scores(holdout.X)), seed=3)
        assert spread is not None and found["interval"] == {"low": spread.low, "high": spread.high}
        decisive = weighed_oof(rule_of(trial.result), trial.oof, workspace.load_folds())
        assert found["validation"]["MCC"] == score("MCC", workspace.load_train().y, decisive)
        job = {
            "id": "1", "name": "churn", "createdAt": "2026-01-02T03:04:05Z", "targetColumn": "left", "task": "BINARY", "metric": "F1",
            "timeBudgetSeconds": 60, "mind": "PLAYBOOK", "sandbox": "LOCAL", "datasetName": "data.csv", "instructions": "",
        }  # fmt: skip
        entry = {key: trial.result[key] for key in ("family", "score", "foldScores", "fitSeconds", "predictMicrosPerRow", "parameters")}
        entry |= {"id": "both", "name": "both", "agent": "MASTER_TRAINER", "isBaseline": False, "isBest": True}
        request = {"trialId": "both", "job": job, "trials": [entry], "history": [], "decisions": [], "log": [], "seconds": 1.0}
        report.run(request)
        metrics = json.loads((workspace.OUT / "metrics.json").read_text())
        page = (workspace.OUT / "report.html").read_text()
        with (workspace.OUT / "predictions.csv").open(newline="") as file:
            predictions = list(csv.DictReader(file))
    assert weights is not None
    assert metrics["labelRule"] == {"weights": {"no": weights[0], "yes": weights[1]}, "threshold": threshold(weights)}
    assert f"“yes” is answered from a probability of {threshold(weights):.2g} on, chosen on validation rows for F1." in page
    sealed = [row for row in predictions if row["split"] == "holdout"]
    assert [row["prediction"] for row in sealed] == said.tolist()
    assert len(sealed) >= 100
    assert f"{right:.1%} right" in page
    others = [row for row in predictions if row["split"] == "validation"]
    hits = sum(row["prediction"] == row["actual"] == "yes" for row in others)
    named = sum((row["prediction"] == "yes") + (row["actual"] == "yes") for row in others)
    assert 2 * hits / named == pytest.approx(trial.result["score"])


def test_the_script_repeats_rule_and_score(churn: JobFolder, tmp_path: Path) -> None:
    with churn.inside():
        (tmp_path / "pipeline.py").write_text(pipeline_code("both", "churn"))
        trial, model, holdout = workspace.load_trial("both"), fitted_model("both"), workspace.load_holdout()
        sealed = score("F1", holdout.y, model.weighed(model.predict_scores(holdout.X)))
    done = subprocess.run(
        [sys.executable, "pipeline.py", churn.folder / "input" / "data.csv", "--model", "again.pkl"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"cross-validated F1: {trial.result['score']:.6f}" in done.stdout
    assert f"holdout F1: {sealed:.6f}" in done.stdout
    assert load_model(tmp_path / "again.pkl").label_weights == pytest.approx(model.label_weights)


class NeverSure:
    """Its probability of class 1 follows the column x and never reaches a half."""

    def predict_scores(self, X: pd.DataFrame) -> np.ndarray:
        return np.stack([1 - 0.4 * X["x"], 0.4 * X["x"]], axis=1)


def test_a_column_matters_where_it_changes_the_labels_by_the_rule() -> None:
    X = pd.DataFrame(np.random.default_rng(0).random((300, 2)), columns=["x", "noise"])
    y, model = (X["x"] > 0.5).to_numpy(dtype=int), TimedModel(NeverSure())
    model.warm_up(X)
    scores = model.predict_scores(X)
    drops = []
    for weights in (None, [0.5, 2.0]):
        found = permutation_importance(model, X, y, scores, "F1", weights, ["x", "noise"], model.speed(), 3, time_limit_seconds=60)
        drops.append({entry.feature: entry.mean for entry in found.entries})
    assert drops[0] == {"x": 0.0, "noise": 0.0}
    assert drops[1]["x"] == pytest.approx(0.5, abs=0.1)
    assert drops[1]["noise"] == 0.0


def test_of_many_classes_the_report_names_the_rarest() -> None:
    rule = {"weights": {"common": 0.25, "other": 1.0, "rare": 4.0}, "threshold": None}
    text = rule_sentence(rule, "BALANCED_ACCURACY", ["common", "other", "rare"])
    assert text == (
        "Rare classes are named sooner: a probability of “rare” counts 16 times one of “common”, "
        "chosen on validation rows for balanced accuracy."
    )
    assert rule_sentence(None, "F1", ["no", "yes"]) is None


def test_a_high_threshold_is_not_rounded_to_certainty() -> None:
    rule = {"weights": {"no": 30.0, "yes": 1 / 30}, "threshold": 900 / 901}
    assert "from a probability of 0.99889 on" in str(rule_sentence(rule, "MCC", ["no", "yes"]))


def test_rules_survive_the_wire() -> None:
    rule = LabelRule([0.5, 2.0], [[0.5, 2.0], [0.25, 4.0]])
    assert rule_of(json.loads(json.dumps({"rule": rule.to_json()}))) == rule
    assert rule_of({"rule": None}) is None
    assert labels(weighed(np.array([[0.7, 0.3]]), rule.weights)).tolist() == [1]
