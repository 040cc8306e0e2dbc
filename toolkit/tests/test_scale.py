"""Large tables: what is left out, screened or counted once to fit a job's time and memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from job_folder import JobFolder
from sproutml_toolkit import sampling, screening, split, table, table_sample, texts, workspace
from sproutml_toolkit.features import FeatureEncoder
from sproutml_toolkit.table import read_rows, read_table

RNG = np.random.default_rng(8)


@pytest.fixture
def few_rows_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of over 200 rows is too large for a job of a second, and is looked at by its first 50."""
    monkeypatch.setattr(table, "_SAMPLE_ROWS", 50)
    monkeypatch.setattr(table_sample, "_FEWEST_ROWS", 200)
    monkeypatch.setattr(table_sample, "_CELLS_PER_SECOND", 1)
    monkeypatch.setattr(table_sample, "_PIECE_CELLS", 1_000)


@pytest.mark.usefixtures("few_rows_fit")
def test_a_sample_is_whole_rows_by_their_numbers_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("n,words\n" + "".join(f'{i},"row\n{i}"\n' for i in range(5_000)))
    read, rows = read_rows(path, ",", "utf-8", None, 1.0, 3)
    assert rows == 5_000
    assert 50 < len(read) < 400
    assert read["n"].tolist() == read.index.tolist()
    assert read["words"].tolist() == [f"row\n{i}" for i in read.index]
    assert read.index.max() > 4_500
    assert read.equals(read_rows(path, ",", "utf-8", None, 1.0, 3)[0])
    assert len(read_table(path)) == 5_000


@pytest.mark.usefixtures("few_rows_fit")
def test_a_sampled_column_with_text_in_a_late_piece_is_text_throughout(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i},{'1.50' if i < 3_000 else 'x'}\n" for i in range(5_000)))
    read, _ = read_rows(path, ",", "utf-8", None, 1.0, 3)
    assert set(read["b"]) == {"1.50", "x"}


@pytest.mark.usefixtures("few_rows_fit")
def test_a_sampled_job_says_so_and_keeps_the_files_row_numbers(job: JobFolder) -> None:
    job.write_rows(["a", "y"], [[value, "pq"[int(value > 0)]] for value in RNG.normal(size=4_000).round(4)])
    result = job.profile("y", timeBudgetSeconds=1)
    assert result["rows"] == 4_000
    assert 100 < result["usableRows"] < 400
    assert "ROWS_SAMPLED" in [warning["code"] for warning in result["warnings"]]
    assert "TARGET_MISSING_ROWS" not in [warning["code"] for warning in result["warnings"]]
    assert any("drawn by chance" in said for said in result["decisions"])
    job.split()
    with job.inside():
        assert workspace.load_holdout().row_ids.max() > 3_000


def test_small_tables_are_never_sampled(job: JobFolder) -> None:
    job.write_rows(["a", "y"], [[value, "pq"[int(value > 0)]] for value in RNG.normal(size=3_000).round(4)])
    result = job.profile("y", timeBudgetSeconds=10)
    assert result["usableRows"] == 3_000
    assert "ROWS_SAMPLED" not in [warning["code"] for warning in result["warnings"]]


def test_codes_in_a_wide_table_stay_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TEXT_CELLS", 1_000)
    monkeypatch.setattr(table, "_FEWEST_SAMPLE_ROWS", 20)
    path = tmp_path / "t.csv"
    path.write_text("code," + ",".join(f"c{i}" for i in range(99)) + "\n" + ("007," + ",".join(["1.5"] * 99) + "\n") * 60)
    read = read_table(path)
    assert set(read["code"]) == {"007"}
    assert read["c5"].dtype == np.float64


def test_screening_keeps_what_tells_the_target_and_looks_at_training_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_WIDE", 20)
    monkeypatch.setattr(screening, "_MOST_CELLS", 10_000)
    monkeypatch.setattr(screening, "_FEWEST_KEPT", 10)
    X = pd.DataFrame(RNG.normal(size=(1_000, 200)), columns=[f"c{i}" for i in range(200)])
    y = X["c17"].abs().to_numpy() + X["c42"].to_numpy()
    plan = [{"name": name, "kind": "number"} for name in X.columns]
    encoder = FeatureEncoder(plan, "native", "REGRESSION", 1)
    matrix = encoder.fit_transform(X, y)
    assert matrix.values.shape == (1_000, 10)
    assert {"c17", "c42"} <= set(encoder.names)
    again = encoder.transform(X)
    assert np.array_equal(again.values, matrix.values)


def test_screened_categories_keep_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "_WIDE", 20)
    monkeypatch.setattr(screening, "_MOST_CELLS", 3_000)
    monkeypatch.setattr(screening, "_FEWEST_KEPT", 3)
    X = pd.DataFrame(RNG.normal(size=(500, 40)), columns=[f"c{i}" for i in range(40)])
    X["kind"] = RNG.choice(["a", "b", "c"], 500).astype(object)
    y = (X["kind"] == "b").to_numpy().astype(int)
    plan = [{"name": name, "kind": "category" if name == "kind" else "number"} for name in X.columns]
    encoder = FeatureEncoder(plan, "native", "BINARY", 1)
    matrix = encoder.fit_transform(X, y)
    (place,) = matrix.categorical
    assert encoder.names[place] == "kind"
    assert set(np.unique(matrix.values[:, place])) == {0.0, 1.0, 2.0}


def test_tables_of_up_to_a_thousand_columns_are_not_screened() -> None:
    assert screening.kept_width(1_000, 1_000_000) == 1_000
    assert screening.kept_width(5_000, 150) == 5_000
    assert screening.kept_width(5_000, 1_600) == 625
    assert screening.kept_width(5_000, 1_600, first_look=True) == 125
    assert screening.kept_width(900, 1_600, first_look=True) == 900


def test_much_text_is_learnt_from_and_counted_once(job: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_LARGE", 10_000)
    words = np.array([f"word{i}" for i in range(300)])
    rows = []
    for i in range(400):
        said = list(RNG.choice(words, 30)) + (["great"] * 2 if i % 2 else ["awful"])
        rows.append([" ".join(RNG.permutation(said)), round(RNG.normal(), 3), "ham" if i % 2 else "spam"])
    job.write_rows(["review", "n", "y"], rows).profile("y")
    job.split(folds=3)
    assert any("much text in review" in said for said in job.prepare()["decisions"])
    calls = []
    hashed = texts._counter._hasher.transform
    monkeypatch.setattr(texts._counter._hasher, "transform", lambda given: (calls.append(len(given)), hashed(given))[1])
    assert job.train("t", "LIGHTGBM", params={"rounds": 30})["score"] > 0.9
    assert calls == []


def test_large_tables_in_short_jobs_get_fewer_folds() -> None:
    assert split._affordable_folds(3, 450_000, 40, 60) == 2
    assert split._affordable_folds(3, 450_000, 40, 3_600) == 3
    assert split._affordable_folds(8, 50_000, 1_000, 10) == 8


def test_counted_text_and_other_text_have_columns_of_the_same_kind() -> None:
    values = pd.Series([f"one two {'three' if i % 2 else 'four'} {i % 7} words" for i in range(60)] + [None], dtype=object)
    lengths = []
    for counted in (False, True):
        encoder = FeatureEncoder([{"name": "s", "kind": "text", "counted": counted}], "native", "BINARY", 1)
        lengths.append(encoder.fit_transform(pd.DataFrame({"s": values}), np.arange(61) % 2).values[:, :2])
        assert encoder.names[:3] == ["s length", "s words", "s topic 1"]
    assert np.array_equal(*lengths)


def test_a_first_look_learns_from_fewer_rows_and_says_so(job: JobFolder) -> None:
    job.write_rows(["a", "y"], [[value, "pq"[int(value > 0)]] for value in RNG.normal(size=1_200).round(4)]).ready("y")
    sample = job.train("t", "LIGHTGBM", params={"rounds": 5}, mostRows=300)
    assert sample["sampled"] and any("300 of a fold's" in note for note in sample["notes"])
    whole = job.train("u", "LIGHTGBM", params={"rounds": 5}, mostRows=100_000)
    assert not whole["sampled"] and not whole["notes"]


def test_a_sample_of_a_fold_has_rows_of_every_class() -> None:
    classes = np.zeros(50_000, dtype=int)
    classes[100:130] = 1
    classes[5_000:5_007] = 2
    held = np.arange(50_000) % 2 == 0
    fitted, watched = sampling.sample_of_fold(held, 500, seed=3, classes=classes)
    assert not (fitted & held).any() and not (watched & ~held).any()
    counts = np.bincount(classes[fitted])
    assert counts.sum() <= 500 + 2 * 20
    assert list(counts[1:]) == [15, 3]  # all that there are of those not held
    plain = sampling.sample_of_fold(held, 500, seed=3)[0]
    assert plain.sum() == 500 and not (plain & ~fitted).any()


def test_a_late_first_look_goes_on_with_fewer_rows() -> None:
    assert sampling.fewer_rows(100_000, 32_000, took=1.0, left=2.0) == 100_000
    assert sampling.fewer_rows(100_000, 32_000, took=8.0, left=2.0) == 8_000
    assert sampling.fewer_rows(100_000, 32_000, took=80.0, left=0.0) == 2_000
    assert sampling.fewer_rows(100_000, 1_000, took=80.0, left=1.0) == 1_000


@pytest.mark.parametrize(
    ("rows", "columns", "seconds", "said"),
    [
        (500_000, 20, 15.0, "fit the job's time: "),
        (500_000, 20, 15.0, "with a time budget of 25 s all would be"),
        (5_000_000, 20, 30.0, "with more time up to 1,250,000 would be, as many as fit its memory"),
        (5_000_000, 20, 600.0, "fit the job's memory: "),
        (5_000_000, 20, 600.0, "more time would not change that"),
        (5_000_000, 20, None, "more time would not change that"),
    ],
)
def test_it_is_said_what_bounds_the_sample_and_that_no_model_learns_from_the_rest(
    rows: int, columns: int, seconds: float | None, said: str
) -> None:
    kept = table_sample.rows_to_keep(columns, seconds)
    assert kept < rows
    [text] = table_sample.say_sampled(kept, rows, columns, seconds)
    assert said in text
    assert f"of {rows:,} rows {kept:,} were drawn by chance" in text
    assert "no model, the light one included, learns from the others" in text
    assert table_sample.say_sampled(rows, rows, columns, seconds) == []
    if "with a time budget of" in text:
        assert table_sample.rows_to_keep(columns, 25.0) >= rows
