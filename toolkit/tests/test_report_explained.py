"""The explanations' sentences: plain, and never more than the numbers bear out."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from finished_job import hostile, houses, penguins
from hypothesis import given
from hypothesis import strategies as st
from test_report import page_of

from sproutml_toolkit.plots import partial_dependence
from sproutml_toolkit.report.explained import how_it_changes, more_rows


def curve(mean: list[float], output: str | None = "Gentoo", sure: bool = True, agreement: float = 1.0) -> dict:
    return {"output": output, "mean": mean, "low": mean, "high": mean, "sure": sure, "agreement": agreement}


def said(*curves: dict, kind: str = "number", values: list | None = None) -> str:
    points = [10.0 * (place + 1) for place in range(len(curves[0]["mean"]))]
    return how_it_changes({"feature": "bill", "kind": kind, "values": values or points, "curves": list(curves)}, "species", 1.0)


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        ([0.1, 0.3, 0.5, 0.7], "Gentoo gets likelier as bill grows: 10% at 10, 70% at 40."),
        ([0.7, 0.5, 0.3, 0.1], "Gentoo gets less likely as bill grows: 70% at 10, 10% at 40."),
        ([0.1, 0.11, 0.12, 0.68, 0.7, 0.7], "Gentoo gets likelier as bill grows: 10% at 10, 70% at 60, most of it between 30 and 40."),
        ([0.1, 0.8, 0.9, 0.2], "Gentoo is likeliest around bill = 30 (90%), 10% at 10 and 20% at 40."),
        ([0.9, 0.2, 0.8, 0.1], "Gentoo changes with bill in no simple way: it goes between 10% and 90%."),
        ([0.50, 0.51, 0.505, 0.51], "On average the answer hardly changes with bill alone."),
    ],
)
def test_a_curve_is_put_in_one_true_sentence(mean: list[float], text: str) -> None:
    assert said(curve(mean)) == text


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_only_a_curve_that_goes_one_way_is_said_to(mean: list[float]) -> None:
    text, steps = said(curve(mean)), np.diff(mean)
    if "likelier as" in text:
        assert mean[-1] > mean[0] and -steps[steps < 0].sum() <= 0.1 * np.ptp(mean) + 1e-12
    if "less likely as" in text:
        assert mean[-1] < mean[0] and steps[steps > 0].sum() <= 0.1 * np.ptp(mean) + 1e-12
    if "around" in text:
        assert 0 < np.argmax(mean) < len(mean) - 1 or 0 < np.argmin(mean) < len(mean) - 1


def test_the_sentence_is_on_the_class_that_changes_most_and_surely() -> None:
    assert said(curve([0.4, 0.5], "Adelie"), curve([0.1, 0.8])).startswith("Gentoo")
    assert said(curve([0.4, 0.5], "Adelie"), curve([0.1, 0.8], sure=False)).startswith("Adelie")
    assert "too much from row to row" in said(curve([0.1, 0.8], sure=False))


def test_rows_that_go_the_other_way_are_mentioned() -> None:
    assert said(curve([0.1, 0.8], agreement=0.6)).endswith("; for 40% of the rows it is the other way round.")
    assert "other way" not in said(curve([0.9, 0.2, 0.8, 0.1], agreement=0.6))


def test_a_label_that_says_nothing_alone_stands_with_its_column() -> None:
    text = said(curve([0.2, 0.7], "1"), kind="category", values=["male", "female"])
    assert text == "species = 1 is likeliest with bill = female (70%), least likely with male (20%)."
    assert said(curve([12.0, 24.5], None)) == "The predicted species rises as bill grows: 12 at 10, 24.5 at 20."


@pytest.mark.parametrize(
    ("verdict", "cut", "low", "start"),
    [
        ("HELPS", 0.064, 0.03, "More rows would likely help"),
        ("FLAT", 0.004, -0.01, "More rows of the same kind would hardly"),
        ("UNSURE", 0.017, 0.002, "More rows may help a little"),
        ("UNSURE", 0.3, -0.2, "Whether more rows would help cannot be told"),
    ],
)
def test_more_rows_are_promised_nothing_the_folds_do_not_show(verdict: str, cut: float, low: float, start: str) -> None:
    text = more_rows({"half": 120, "rows": 240, "cut": cut, "low": low, "verdict": verdict})
    assert text.startswith(start) and "240" in text and "120" in text
    assert ("%" in text) == (cut < 0.1)


def test_rows_that_could_not_be_halved_are_said_to_be() -> None:
    assert "not looked into" in more_rows(None)


@pytest.mark.parametrize("job", [penguins, hostile, houses])
def test_the_page_tells_of_single_rows_and_of_more_rows(job) -> None:
    text = re.sub(r"\s+", " ", page_of(job()).text)
    assert "More rows" in text or "more rows" in text
    assert ("Closest" in text) == (job is houses)
    assert ("Sure and right" in text) == (job is not houses)
    assert "from the model's average" in text


def test_the_picture_of_many_long_named_classes_keeps_every_name_inside() -> None:
    labels = [f"a rather long name of class {number}" for number in range(6)]
    feature = {"feature": "x", "kind": "number", "values": [0.0, 1.0], "curves": [curve([0.1, 0.2], label) for label in labels]}
    plot = partial_dependence({"rows": 20, "features": [feature]}, "y", "probability")
    root = ElementTree.fromstring(plot.svg)
    width = float(root.get("viewBox").split()[2])
    names = [text for text in root.iter("{http://www.w3.org/2000/svg}text") if (text.text or "").startswith("a rather")]
    places = [float(text.get("x")) for text in names]
    assert len(names) == 6 and min(places) > 0 and max(places) + 100 < width


def test_there_is_no_picture_without_a_curve() -> None:
    assert partial_dependence({"rows": 0, "features": []}, "y", "probability") is None
