"""The report says which rows were sealed, and what that means for the score."""

import json

import pytest
from finished_job import grouped, houses, timed
from sproutml_toolkit.report import words
from sproutml_toolkit.report.split_words import how_split
from test_report import page_of


@pytest.mark.parametrize(
    ("job", "said", "drawn"),
    [
        (houses, "Rows were split by chance", "ROWS"),
        (grouped, 'of the 40 groups of "patient" are sealed, unseen in training.', "GROUPS"),
        (timed, 'The latest 20% of rows are sealed, from 2024-06-09 of "day" on', "TIMES"),
    ],
)
def test_the_page_says_how_rows_were_split_and_what_the_interval_draws(job, said: str, drawn: str) -> None:
    text = " ".join(page_of(job()).text.split())
    assert said in text
    words_of = {"GROUPS": "The interval draws whole groups", "TIMES": "The interval draws"}
    assert ("The interval draws" in text) == (drawn in words_of)
    assert words_of.get(drawn, "") in text
    interval = json.loads((job() / "out" / "metrics.json").read_text())["interval"]
    assert interval["drawn"] == drawn
    assert interval["units"] == {"ROWS": 60, "GROUPS": 9, "TIMES": 40}[drawn]


@pytest.mark.parametrize(
    ("units", "interval", "said"),
    [
        ({"drawn": "GROUPS", "units": 30, "length": 1}, True, "draws whole groups, as rows of one resemble each other."),
        ({"drawn": "GROUPS", "units": 4, "length": 1}, True, "With 4 of them it is a rough one."),
        ({"drawn": "GROUPS", "units": 1, "length": 1}, False, "There is no interval: a single sealed group"),
        ({"drawn": "TIMES", "units": 90, "length": 7}, True, "draws stretches of 7 neighbouring times"),
        ({"drawn": "TIMES", "units": 90, "length": 1}, True, "draws whole times"),
        ({"drawn": "ROWS", "units": 90, "length": 1}, True, "draws single rows, for too few times are sealed"),
    ],
)
def test_what_the_interval_draws_is_said_in_words(units: dict, interval: bool, said: str) -> None:
    evaluation = {"interval": {"low": 0.1, "high": 0.2} if interval else None, "intervalOf": units}
    asked = {"groupColumn": "who"} if units["drawn"] == "GROUPS" else {"timeColumn": "when"}
    assert said in how_split({"decisions": ["So."]}, {"request": asked}, evaluation)
    assert how_split({"decisions": ["So."]}, {"request": {}}, {"interval": None, "intervalOf": None}) == "So."


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
