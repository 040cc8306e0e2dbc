"""A second layer: models that also learn from what others answer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from finished_job import layered

from sproutml_toolkit import ensemble, train, workspace
from sproutml_toolkit.model import fitted_model, load_model
from sproutml_toolkit.stacking import AnswerColumns, StackedModel, weighed_answers
from sproutml_toolkit.wire import ToolkitError

REQUEST = {"family": "EXTRA_TREES", "params": {"n_estimators": 5}, "timeLimitSeconds": 60, "threads": 1, "seed": 1}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a finished job whose trial `s` learns from `k` and `l`."""
    shutil.copytree(layered(), tmp_path / "job")
    monkeypatch.chdir(tmp_path / "job")
    return tmp_path / "job"


def test_a_fold_learns_from_answers_for_rows_that_no_model_had_learnt_from(job: Path) -> None:
    stacked = workspace.load_scorer("s")
    train_rows = workspace.load_train()
    answers = [workspace.load_oof(base) for base in ("k", "l")]
    folds, oof = workspace.load_folds(), workspace.load_oof("s")
    beside = stacked.columns.beside(train_rows.X, answers)
    assert list(beside.columns[: train_rows.X.shape[1]]) == list(train_rows.X.columns)
    inner = stacked.inner
    temperature = getattr(inner, "temperature", None)
    for number, member in enumerate(getattr(inner, "model", inner).members):
        held = folds == number
        scores = member.predict_scores(beside[held])
        if temperature is None:
            assert scores == pytest.approx(oof[held])
        else:
            assert np.array_equal(scores.argmax(axis=1), oof[held].argmax(axis=1))


def test_its_model_answers_new_rows_by_itself(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = workspace.load_holdout()
    inside = workspace.load_scorer("e").predict_scores(sealed.X)
    assert fitted_model("e").predict_scores(sealed.X) == pytest.approx(inside)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_model(job / "out" / "model.pkl").predict_scores(sealed.X) == pytest.approx(inside)


def test_a_model_of_the_first_layer_is_asked_once_whoever_learns_from_it(job: Path) -> None:
    class Counting:
        asked = 0

        def predict_scores(self, X):
            self.asked += 1
            return np.zeros(len(X))

    base = Counting()
    layer = [StackedModel(["x"], AnswerColumns(), Counting(), [base]) for _ in range(3)]
    weighed_answers([(0.25, model) for model in [base, *layer]], workspace.load_holdout().X)
    assert base.asked == 1


def test_what_it_needs_counts_in_its_size_and_its_pace(job: Path) -> None:
    results = {key: workspace.load_result(key) for key in ("s", "k", "l", "e")}
    sizes = {key: workspace.model_bytes(key) for key in ("s", "k", "l")}
    assert ensemble.run({"trialId": "f", "trialIds": ["s"], "rounds": 3})["modelBytes"] == sum(sizes.values())
    both = ensemble.run({"trialId": "g", "trialIds": ["s", "k", "l"], "rounds": 3})
    assert both["predictMicrosPerRow"] <= results["s"]["predictMicrosPerRow"] + 0.02
    assert results["s"]["predictMicrosPerRow"] > results["k"]["predictMicrosPerRow"] + results["l"]["predictMicrosPerRow"]


@pytest.mark.parametrize("base", ["e", "s"])
def test_neither_an_ensemble_nor_a_third_layer(job: Path, base: str) -> None:
    with pytest.raises(ToolkitError) as error:
        train.run(REQUEST | {"trialId": "t", "stackOn": [base]})
    assert error.value.code == "REQUEST_INVALID"


def test_values_far_from_zero_stay_apart_in_single_precision() -> None:
    y = 1e9 + np.arange(50.0)
    columns = AnswerColumns.of(y, classification=False).of_answers([y], np.arange(50))
    assert len(np.unique(columns.to_numpy(dtype=np.float32))) == 50


def test_of_two_classes_one_says_all() -> None:
    two, three = (AnswerColumns().of_answers([np.full((4, n), 1 / n)], np.arange(4)) for n in (2, 3))
    assert two.shape[1] == 1 and three.shape[1] == 3


def test_the_report_tells_of_all_models_behind_the_answer(job: Path) -> None:
    text = (job / "out" / "pipeline.py").read_text()
    assert "'stackOn': ['knn', 'lightgbm']" in text
    assert json.loads((job / "out" / "metrics.json").read_text())["trial"]["family"] == "ENSEMBLE"
