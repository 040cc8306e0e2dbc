"""`report`: every file a job leaves, whole, readable, and harmless whatever was in the upload."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from finished_job import FORMULA_LABEL, MATH_LABEL, PENGUINS, SCRIPT_HEADER, hostile, houses, penguins, report_request, unsealed

from sproutml_toolkit import report, workspace
from sproutml_toolkit.metrics import score
from sproutml_toolkit.model import load_model
from sproutml_toolkit.report import words
from sproutml_toolkit.report.tables import spreadsheet_safe
from sproutml_toolkit.table import read_table

JOBS = [penguins, hostile, houses]
COMMON = {
    "report.html", "model.pkl", "leaderboard.csv", "metrics.json", "predictions.csv", "pipeline.py", "training.log",
    "feature-importance.svg", "partial-dependence.svg", "score-over-time.svg",
}  # fmt: skip
CLASSIFICATION = {"confusion-matrix.svg", "roc-curve.svg", "precision-recall.svg", "calibration.svg"}
REGRESSION = {"residuals.svg", "predicted-vs-actual.svg"}


class Page(HTMLParser):
    """What a browser would see of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(folder: Path) -> Page:
    return Page((folder / "out" / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("job", "plots"), [(penguins, CLASSIFICATION), (hostile, CLASSIFICATION), (houses, REGRESSION)])
def test_lists_every_file_it_promises_and_each_is_there(job, plots: set[str], monkeypatch) -> None:
    monkeypatch.chdir(job())
    result = report.run(report_request(job()))
    assert {entry["name"] for entry in result["files"]} == COMMON | plots
    assert all(Path(entry["path"]).stat().st_size > 0 for entry in result["files"])
    assert {entry["kind"] for entry in result["files"]} == {"REPORT", "MODEL", "METRICS", "PREDICTIONS", "CODE", "LOG", "PLOT"}


@pytest.mark.parametrize("job", JOBS)
def test_a_page_holds_no_script_and_loads_nothing(job) -> None:
    page = page_of(job())
    assert not {"script", "iframe", "object", "embed", "link", "img", "form", "base"} & set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "xlink:href", "action", "data", "srcset"):
            assert value.startswith("#")
    text = (job() / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\((?!#)|@import", text)
    assert ("http-equiv", "Content-Security-Policy") in page.attributes


def test_markup_in_headers_labels_names_and_decisions_is_shown_as_text() -> None:
    page = page_of(hostile())
    for text in (SCRIPT_HEADER, FORMULA_LABEL, MATH_LABEL, "<script>alert(1)</script>", "<script>alert(3)</script>", "<img src=x"):
        assert text in page.text
    assert page.tags.count("title") == 1 + page.tags.count("svg") - 1  # one of the page, one of each plot, none of the brand


def test_a_label_with_dollar_signs_is_no_formula() -> None:
    root = ElementTree.parse(hostile() / "out" / "plots" / "confusion-matrix.svg").getroot()
    assert MATH_LABEL in [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("job", JOBS)
def test_an_id_on_the_page_is_unique_and_every_link_leads_somewhere(job) -> None:
    page = page_of(job())
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for name, value in page.attributes if name in ("href", "xlink:href")}
    assert links <= set(ids)
    assert {name for _, value in page.attributes for name in re.findall(r"url\(#([^)]+)\)", value)} <= set(ids)


@pytest.mark.parametrize("job", JOBS)
def test_a_plot_is_well_formed_says_what_it_shows_and_stays_small(job) -> None:
    for path in (job() / "out" / "plots").glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        assert root.get("role") == "img"
        described = root.find("{http://www.w3.org/2000/svg}desc")
        assert described is not None and len(described.text or "") > 30
        assert path.stat().st_size < 150_000
        assert b"prefers-color-scheme:dark" in path.read_bytes()


def test_every_table_has_a_caption() -> None:
    tags = page_of(houses()).tags
    assert tags.count("table") == tags.count("caption") >= 3


@pytest.mark.parametrize("job", JOBS)
def test_predictions_hold_every_row_once_with_scores_that_repeat_the_metrics(job, monkeypatch) -> None:
    monkeypatch.chdir(job())
    with open("out/predictions.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    metrics = json.loads(Path("out/metrics.json").read_text())
    assert [int(row["row"]) for row in rows] == sorted(workspace.load_table().row_ids.tolist())
    for part in ("validation", "holdout"):
        of_part = [row for row in rows if row["split"] == part]
        assert len(of_part) == metrics["rows"]["train" if part == "validation" else "holdout"]
        assert all((row["fold"] == "") == (part == "holdout") for row in of_part)
        if metrics["classes"] is None:
            y = np.array([float(row["actual"]) for row in of_part])
            scores = np.array([float(row["prediction"]) for row in of_part])
        else:
            names = [spreadsheet_safe(name) for name in metrics["classes"]]
            y = np.array([names.index(row["actual"]) for row in of_part])
            scores = np.array([[float(row[f"probability_{name}"]) for name in metrics["classes"]] for row in of_part])
            assert [row["prediction"] for row in of_part] == [names[code] for code in scores.argmax(axis=1)]
        assert score(metrics["metric"], y, scores) == pytest.approx(metrics[part][metrics["metric"]], rel=1e-3)


def test_no_label_of_the_upload_becomes_a_formula_in_a_spreadsheet() -> None:
    for name in ("predictions.csv", "leaderboard.csv"):
        with (hostile() / "out" / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "@")) or (cell[:1] in "+-" and not is_number(cell))]
    assert spreadsheet_safe("=1+1") == "'=1+1"
    assert spreadsheet_safe("-1.5") == "-1.5"
    assert spreadsheet_safe(-1.5) == -1.5


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == ""
    return True


def test_the_model_predicts_a_raw_file() -> None:
    model = load_model(penguins() / "out" / "model.pkl")
    raw = read_table(PENGUINS, ",", "utf-8", None)
    said = model.predict(raw)
    assert (said == raw["species"].to_numpy()).mean() > 0.95


def test_leaderboard_has_the_winner_first_and_the_baseline_in_it() -> None:
    with (penguins() / "out" / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["is_best"] for row in rows] == ["True", "False", "False", "False"]
    assert sum(row["is_baseline"] == "True" for row in rows) == 1
    assert set(json.loads(rows[0]["parameters"])["weights"]) <= {"l", "k"}


def test_the_log_keeps_each_entry_on_a_line_of_its_own() -> None:
    assert (penguins() / "out" / "training.log").read_text() == "03:04:05 started\ntwo\n    lines\n"


@pytest.mark.parametrize("job", JOBS)
def test_the_summary_says_target_score_interval_and_baseline(job, monkeypatch) -> None:
    monkeypatch.chdir(job())
    summary = report.run(report_request(job()))["summary"]
    profile = workspace.load_profile()
    metrics = json.loads(Path("out/metrics.json").read_text())
    assert profile["target"]["name"] in summary
    for value in (metrics["holdout"][metrics["metric"]], *[metrics["interval"][end] for end in ("low", "high")], metrics["baseline"]["holdout"]):
        assert words.score_text(metrics["metric"], value) in summary
    assert "sealed rows" in summary


def test_what_is_not_perfect_never_looks_so() -> None:
    assert words.score_text("ROC_AUC", 0.99997) == "0.99997"
    assert words.score_text("ROC_AUC", 0.9999999) == "0.99999"
    assert words.score_text("ROC_AUC", 1.0) == "1.000"
    assert (words.percent(0.9999), words.percent(0.001)) == ("99.9%", "<1%")
    assert words.score_text("LOG_LOSS", 0.0061481) == "0.00615"
    assert words.plain_meaning("ACCURACY", 0.9991, 0.5, "y") == "It is right about 99.9 of 100 rows; always naming the commonest class, 50."


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.678, "12,346"), (2.25, "2.25"), (100.0, "100"), (0.00123456, "0.001235"), (-3.5, "−3.5"), (1e20, "1.000e+20")],
)
def test_numbers_read_easily(value: float, text: str) -> None:
    assert words.number(value) == text


def test_a_model_no_better_than_the_baseline_is_not_called_fit_for_use() -> None:
    evaluation = {
        "metric": "RMSE",
        "validation": {"RMSE": 5.0},
        "holdout": {"RMSE": 5.1},
        "interval": {"low": 4.5, "high": 5.6},
        "baseline": {"validation": 5.2, "holdout": 5.3},
        "warnings": [{"code": "NOT_BETTER_THAN_BASELINE", "message": "…"}],
        "rows": 100,
    }
    verdict = words.verdict(evaluation, 400)
    assert verdict.level == "poor"
    assert not any("beats the baseline" in reason for reason in verdict.reasons)
    assert words.verdict(evaluation | {"warnings": []}, 400).level == "good"


def test_with_no_row_sealed_the_score_is_called_that_of_validation() -> None:
    metrics = json.loads((unsealed() / "out" / "metrics.json").read_text())
    assert metrics["holdout"] is metrics["interval"] is metrics["gap"] is None
    page = " ".join(page_of(unsealed()).text.split())
    assert "No rows were sealed off" in page and "in cross-validation" in page
    assert "Usable, with care" in page


def test_scores_the_sealed_rows_itself_when_the_job_was_stopped_before(monkeypatch) -> None:
    monkeypatch.chdir(penguins())
    request = report_request(penguins())
    try:
        changed = [{**trial, "isBest": trial["id"] == "k"} for trial in request["trials"]]
        report.run({**request, "trialId": "k", "trials": changed})
        metrics = json.loads(Path("out/metrics.json").read_text())
        assert metrics["trial"]["id"] == "k" and metrics["holdout"] is not None
    finally:
        report.run(request)
