"""The report says which rows were sealed, and what that means for the score."""

import json

import pytest
from finished_job import grouped, houses, timed
from sproutml_toolkit.report import words
from test_report import page_of


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (houses, "Rows were split by chance"),
        (grouped, 'of the 40 groups of "patient" are sealed, unseen in training.'),
        (timed, 'The latest 20% of rows are sealed, from 2024-06-09 of "day" on'),
    ],
)
def test_the_page_says_how_rows_were_split(job, said: str) -> None:
    text = " ".join(page_of(job()).text.split())
    assert said in text
    assert ("The interval draws single rows" in text) == (job is not houses)


def test_the_column_of_groups_is_no_feature_and_the_model_does_not_ask_for_it() -> None:
    text = " ".join(page_of(grouped()).text.split())
    assert "ignored: its rows are kept together in the split" in text
    folder = grouped()
    header, first = (folder / "input" / "data.csv").read_text().splitlines()[:2]
    assert header.startswith("patient,") and first
    importances = json.loads((folder / "out" / "metrics.json").read_text())["importances"]
    assert [entry["feature"] for entry in importances] == ["size"]


def test_a_metric_that_the_sealed_rows_cannot_have_is_not_called_a_score_to_trust() -> None:
    evaluation = {
        "metric": "ROC_AUC",
        "validation": {"ROC_AUC": 0.9},
        "holdout": {"ROC_AUC": None},
        "interval": None,
        "baseline": {"validation": 0.5, "holdout": None},
        "warnings": [],
        "rows": 100,
    }
    verdict = words.verdict(evaluation, 400)
    assert verdict.level == "careful" and "can't be computed on the sealed rows" in verdict.reasons[0]
    profile = {"task": "BINARY", "classes": [{"label": "a"}, {"label": "b"}], "target": {"name": "y"}}
    assert "could not be scored by ROC AUC on 100 sealed rows" in words.summary(profile, evaluation, "CatBoost", 3)
