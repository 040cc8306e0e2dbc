"""The report says in plain words what was checked before its score was believed, what was found, and what was asked to stay."""

import numpy as np
import pytest
from finished_job import _run, penguins
from sproutml_toolkit.workspace import load_json
from test_report import page_of

HEADER = ["at", "again", "leak", "closed", "x", "y"]


def visits() -> list[list[str]]:
    """Visits in time, with the target again in another unit, a leak, a date known later and a column that moves."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(320):
        at, y = np.datetime64("2024-01-01") + i, rng.gamma(3.0, 20.0)
        closed, x = at + int(rng.integers(1, 9)), y / 30 + rng.normal() + i / 40
        rows.append([f"{at}", f"{y * 1.1:.4f}", f"{y + rng.normal() * 3:.2f}", f"{closed}", f"{x:.3f}", f"{y:.4f}"])
    return rows


@pytest.fixture(scope="module")
def text() -> str:
    return " ".join(page_of(_run("y", [HEADER, *visits()], timeColumn="at")).text.split())


def test_what_was_found_is_told(text: str) -> None:
    assert '"again" gives "y" away: it is the target in another unit' in text
    assert "dropped: it is the target in another unit" in text
    assert '"leak" alone nearly gives "y" away' in text
    assert '"closed": dates after "at" in nearly every row' in text
    assert "No sealed row equals a row learnt from." in text
    assert "The sealed, latest rows differ from those learnt from" in text and 'most of all in "x"' in text


def test_a_leak_speaks_against_the_verdict(text: str) -> None:
    assert "Usable, with care" in text and 'Know this: "leak" alone' in text


def test_what_was_kept_is_told_and_no_more_warned_of() -> None:
    folder = _run("y", [HEADER, *visits()], keepColumns=["again", "leak", "closed"])
    text = " ".join(page_of(folder).text.split())
    assert '"again": it is the target in another unit. Kept as asked.' in text
    assert '"again" tells the most' in text and "Know this:" not in text.split('"leak"')[0]
    assert load_json(folder / "work" / "plan.json")["features"][1]["name"] == "again"


def test_a_file_sorted_by_its_target_is_no_cause_for_concern() -> None:
    text = " ".join(page_of(penguins()).text.split())
    assert "The file is sorted by species. That does no harm" in text
    assert "No column is a copy of species" in text and "None tells suspiciously much." in text
