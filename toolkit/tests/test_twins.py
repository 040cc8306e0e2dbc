"""Sealed rows that training knows by heart are counted, and the score is told without them."""

import numpy as np
import pandas as pd
from finished_job import _run
from sproutml_toolkit.caveats import caveats
from sproutml_toolkit.twins import Twins, find_twins, flatters
from sproutml_toolkit.workspace import Table, load_json


def table(y: list[float], **columns: list[object]) -> Table:
    return Table(pd.DataFrame(columns), np.array(y, dtype=float), np.arange(len(y)))


def test_twins_are_equal_in_every_column_used_and_missing_equals_missing() -> None:
    train = table([1, 2, 3], a=[1.0, 2.0, np.nan], b=["x", "y", None], unused=[1, 2, 3])
    holdout = table([1, 9, 3, 2], a=[1.0, 2.0, np.nan, 2.0], b=["x", "y", None, "x"], unused=[7, 8, 9, 0])
    def find(*names: str) -> Twins:
        return find_twins(train, holdout, list(names), "RMSE", np.zeros(4), np.zeros(3), np.array([0, 1, 0]))

    found = find("a", "b")
    assert (found.rows, found.twins, found.agreeing) == (4, 3, 2)
    assert found.withoutTwins is None
    assert find("a", "b", "unused").twins == 0


def test_twins_in_other_folds_are_counted_and_those_in_the_same_are_not() -> None:
    train = table([0.0] * 100, a=[*range(60), *[60] * 40])
    oof = np.array([2.0] * 60 + [0.0] * 40)
    for folds, count, alone in ((np.arange(100) % 4, 40, 2.0), (np.arange(100) // 60, 0, None)):
        found = find_twins(train, train.take(np.arange(9)), ["a"], "RMSE", np.zeros(9), oof, folds)
        assert (found.inFolds, found.validationWithout) == (count, alone)


def test_they_flatter_where_the_rest_scores_beyond_chance_worse() -> None:
    found = {"rows": 1000, "twins": 300, "withoutTwins": 1.06}
    assert flatters(found, "LOG_LOSS", {"low": 0.8, "high": 0.95})
    assert not flatters(found, "ROC_AUC", {"low": 0.8, "high": 0.95})
    assert not flatters(found, "LOG_LOSS", {"low": 0.8, "high": 1.1})
    assert not flatters(found | {"twins": 9}, "LOG_LOSS", {"low": 0.8, "high": 0.95})


def test_a_job_on_copied_rows_says_what_its_score_is_without_them() -> None:
    rng = np.random.default_rng(5)
    noise = [[f"{rng.normal():.4f}", f"{rng.normal():.4f}", "yes" if rng.random() < 0.5 else "no"] for _ in range(260)]
    rows = noise + noise[:130]
    rng.shuffle(rows)
    folder = _run("answer", [["a", "b", "answer"], *rows])
    evaluation = load_json(folder / "sealed" / "evaluation.json")
    twins = evaluation["twins"]
    assert 0 < twins["twins"] == twins["agreeing"] < twins["rows"] == 78
    assert twins["withoutTwins"] < evaluation["holdout"]["ROC_AUC"] < twins["ofTwins"]
    page = (folder / "out" / "report.html").read_text()
    assert f"{twins['twins']} of 78 sealed rows" in page


def test_the_reader_is_told_that_the_score_flatters_and_that_later_rows_differ() -> None:
    evaluation = {
        "metric": "RMSE",
        "validation": {"RMSE": 1.0},
        "holdout": {"RMSE": 1.0},
        "interval": {"low": 0.9, "high": 1.1},
        "baseline": {"validation": 3.0, "holdout": 3.0},
        "gap": 0.0,
        "rows": 200,
        "importances": None,
        "twins": {"rows": 200, "twins": 60, "withoutTwins": 1.3},
        "drift": {"auc": 0.8, "columns": ["price"], "isNotable": True},
    }

    def told(**changed: object) -> list[str]:
        return [entry["code"] for entry in caveats(evaluation | changed, {"task": "REGRESSION"}, np.zeros(9), np.zeros(9))]

    assert told() == ["TWINS_FLATTER", "LATER_ROWS_DIFFER"]
    assert told(twins=evaluation["twins"] | {"withoutTwins": 1.05}, drift=None) == []
