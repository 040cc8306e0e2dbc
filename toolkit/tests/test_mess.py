"""Whatever the table, the whole way ends with a usable model or with a coded error."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_folder import JobFolder
from sproutml_toolkit.model import fitted_model
from sproutml_toolkit.table import read_table
from sproutml_toolkit.wire import ToolkitError

CELLS = st.one_of(
    st.sampled_from(["", "?", "NA", "-", "null", "inf", "-inf", "nan", "0", "1", "1e400", "999999999999999999999999"]),
    st.sampled_from(["yes", "no", "007", "1,234.5", "3,14", "12%", "2024-02-30", "31/12/1999", "0001-01-01", "9999-12-31"]),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(width=32).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=12),
    st.just("a sentence of quite a few words that goes on"),
)
HEADERS = st.one_of(
    st.sampled_from(["", "a", "a", " b ", 'c"[]{}:,', "id", "ünï", "__proto__", "x" * 300, "c0", "prediction"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=8),
)


def column(rows: int) -> st.SearchStrategy[list[str]]:
    """A column with a habit, as real ones have: numbers, codes, few words, dates, anything."""
    habits = st.sampled_from(
        [
            lambda rng: [f"{value:.2f}" for value in rng.normal(size=rows)],
            lambda rng: [str(value) for value in rng.integers(0, 4, rows)],
            lambda rng: [str(value) for value in rng.integers(0, 10**6, rows)],
            lambda rng: list(rng.choice(["red", "green", "blue", ""], rows)),
            lambda rng: [f"2021-{1 + value % 12:02d}-{1 + value % 28:02d}" for value in rng.integers(0, 999, rows)],
            lambda rng: [f"code {value}" for value in rng.integers(0, rows, rows)],
            lambda rng: ["same"] * rows,
            lambda rng: list(rng.choice(["yes", "no"], rows, p=[0.05, 0.95])),
        ]
    )
    made = st.builds(lambda habit, seed: habit(np.random.default_rng(seed)), habits, st.integers(0, 999))
    return st.one_of(made, made, made, st.lists(CELLS, min_size=rows, max_size=rows))


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.sampled_from([9, 10, 14, 30, 60, 60]))
    width = draw(st.integers(1, 5))
    header = draw(st.lists(HEADERS, min_size=width + 1, max_size=width + 1))
    columns = [list(draw(column(rows))) for _ in range(width + 1)]
    # Cells that spoil a habit here and there.
    for _ in range(draw(st.integers(0, 4))):
        columns[draw(st.integers(0, width))][draw(st.integers(0, rows - 1))] = draw(CELLS)
    header[-1] = "the target"
    family = draw(st.sampled_from(["LIGHTGBM", "LIGHTGBM", "LINEAR", "KNN", "EXTRA_TREES", "CATBOOST", "MLP", "KERNEL"]))
    return {"header": header, "rows": [list(row) for row in zip(*columns, strict=True)], "family": family}


QUICK = {"LIGHTGBM": {"rounds": 5}, "CATBOOST": {"rounds": 3}, "EXTRA_TREES": {"n_estimators": 5}, "MLP": {"epochs": 2}}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_generated_mess_becomes_a_model_or_a_coded_error(
    table: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = JobFolder(tmp_path_factory.mktemp("mess"))
    job.write_rows(table["header"], table["rows"])
    try:
        profile = job.profile("the target")
    except ToolkitError as error:
        assert error.code in {
            "TARGET_CONSTANT", "TARGET_EMPTY", "TOO_FEW_ROWS", "NO_FEATURES", "TASK_MISMATCH",
            "UNREADABLE_TABLE", "EMPTY_FILE", "HEADER_ONLY", "TARGET_OUT_OF_RANGE",
        }  # fmt: skip
        assert error.hint
        return
    job.split()
    job.prepare()
    result = job.train("t", table["family"], params=QUICK.get(table["family"], {}))
    assert len(result["foldScores"]) >= 2
    job.train("b", "BASELINE")
    job.ensemble("e", ["t", "b"])
    with job.inside():
        model = fitted_model("e")
        raw = read_table("input/data.csv")
        answers = model.predict(raw)
    assert len(answers) == len(raw)
    if profile["classes"]:
        assert set(answers) <= {entry["label"] for entry in profile["classes"]}
    else:
        assert np.isfinite(answers).all()


RNG = np.random.default_rng(5)
NOISE = [f"{value:.3f}" for value in RNG.normal(size=60)]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["x", "y"], [NOISE, ["a", "b"] * 30]),
        (['{"x":[1]}', "y"], [NOISE, ["a", "b"] * 30]),
        (["x", "y"], [[""] + ["same"] * 59, NOISE]),
        (["x", "x", "", "y"], [NOISE, NOISE[::-1], NOISE[5:] + NOISE[:5], ["a", "b"] * 30]),
        (["x", "y"], [NOISE, ["a"] * 57 + ["b", "c", "d"]]),
        (["x", "y"], [NOISE, ["a"] * 59 + ["b"]]),
        (["x", "y"], [NOISE, ["a"] * 58 + ["b"] * 2]),
        (["x", "y"], [["", "?", "1"] * 20, NOISE]),
        (["x", "y"], [[str(10**30 * (i * 7 % 11)) for i in range(60)], NOISE]),
        (["x", "y"], [[f"{1 + i * 7 % 11}e300" for i in range(60)], NOISE]),
        (["when", "y"], [[f"{1 + i % 28}/{1 + i % 12}/2020" for i in range(60)], NOISE]),
        (["x", "y"], [["a", "b"] * 30, [str(i) for i in range(60)]]),
        (["x", "y"], [NOISE, [f"c{i % 20}" for i in range(60)]]),
    ],
)
@pytest.mark.parametrize("family", ["LIGHTGBM", "LINEAR", "EXTRA_TREES"])
def test_known_kinds_of_mess_become_models(job: JobFolder, header: list[str], columns: list[list[str]], family: str) -> None:
    job.write_rows(header, [list(row) for row in zip(*columns, strict=True)]).ready("y", folds=None)
    result = job.train("t", family, params=QUICK.get(family, {}))
    assert result["score"] is not None
    with job.inside():
        assert len(fitted_model("t").predict(read_table("input/data.csv"))) == 60


def test_twins_are_dropped_and_said(job: JobFolder) -> None:
    job.write_rows(["a", "b", "y"], [[value, value, "pq"[i % 2]] for i, value in enumerate(NOISE)])
    entry = job.profile("y")["columns"][1]
    assert (entry["role"], entry["reason"]) == ("dropped", 'the same values as "a"')


def test_five_thousand_columns_are_profiled(job: JobFolder) -> None:
    values = RNG.normal(size=(20, 5_000)).round(3).astype(str)
    job.write_rows([f"f{i}" for i in range(5_000)] + ["y"], [[*row, "ab"[i % 2]] for i, row in enumerate(values)])
    assert len(job.profile("y")["columns"]) == 5_001
