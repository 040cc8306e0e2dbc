"""Sealed rows that training knows by heart are counted, and the score is told without them."""

import numpy as np
import pandas as pd
from finished_job import _run
from sproutml_toolkit.twins import find_twins, flatters
from sproutml_toolkit.workspace import Table, load_json


def table(y: list[float], **columns: list[object]) -> Table:
    return Table(pd.DataFrame(columns), np.array(y, dtype=float), np.arange(len(y)))


def test_twins_are_equal_in_every_column_used_and_missing_equals_missing() -> None:
    train = table([1, 2, 3], a=[1.0, 2.0, np.nan], b=["x", "y", None], unused=[1, 2, 3])
    holdout = table([1, 9, 3, 2], a=[1.0, 2.0, np.nan, 2.0], b=["x", "y", None, "x"], unused=[7, 8, 9, 0])
    found = find_twins(train, holdout, ["a", "b"], "RMSE", np.zeros(4))
    assert (found.rows, found.twins, found.agreeing) == (4, 3, 2)
    assert found.withoutTwins is None
    assert find_twins(train, holdout, ["a", "b", "unused"], "RMSE", np.zeros(4)).twins == 0


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
