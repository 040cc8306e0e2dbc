"""What a column holds is read from its cells."""

import numpy as np
import pandas as pd
import pytest
from sproutml_toolkit.columns import ColumnType, infer_type, typed


def column(cells: list[str], repeat: int = 1) -> pd.Series:
    return pd.Series(cells * repeat, dtype=object)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "", "-3e2", "7"], "NUMERIC"),
        (["1", "2", "?", "NA", "null", "-", "9"], "NUMERIC"),
        (["1,234.50", "12,000", "999", "5"], "NUMERIC"),
        (["$10", "$2,500", "$30", "$4"], "NUMERIC"),
        (["12%", "5 %", "7.5%", "3%"], "NUMERIC"),
        (["18446744073709551617", "99999999999999999999999", "3", "4"], "NUMERIC"),
        (["1", "inf", "-inf", "2", "3", "4"] + [str(i) for i in range(40)], "NUMERIC"),
        (["yes", "no", "no", ""], "BOOLEAN"),
        (["0", "1", "1", "0"], "BOOLEAN"),
        (["TRUE", "False", "n/a"], "BOOLEAN"),
        (["007", "010", "123", "042"], "CATEGORICAL"),
        (["red", "green", "red", ""], "CATEGORICAL"),
        (["a", "b", "3", "4"], "CATEGORICAL"),
        (["2024-01-31", "2023-12-01", "2020-02-29"], "DATE"),
        (["2024-01-31T10:00:00Z", "2023-12-01T23:59:59Z", ""], "DATE"),
        (["31/01/2024", "01/12/2023"], "DATE"),
        (["12/31/2024", "01/12/2023"], "DATE"),
        (["31.01.2024 10:15", "01.12.2023 09:00"], "DATE"),
        (["20240131", "20231201", "20200229"], "DATE"),
        (["Jan 31, 2024", "Dec 01, 2023"], "DATE"),
        (["same", "same"], "CONSTANT"),
        (["noted", "", "noted"], "CATEGORICAL"),
        (["5", "?", "5.0"], "CATEGORICAL"),
        (["", "?", "NA"], "CONSTANT"),
        (["5", "5.0", "5"], "CONSTANT"),
    ],
)
def test_a_column_is_typed_by_what_its_cells_say(cells: list[str], kind: str) -> None:
    assert infer_type(column(cells), "x").type == kind


def test_a_few_words_among_numbers_count_as_missing_and_are_said() -> None:
    found = infer_type(column([str(i) for i in range(99, 0, -2)] * 2 + ["broken"]), "x")
    assert (found.type, found.note) == ("NUMERIC", "1 values are no numbers and count as missing")


def test_a_comma_is_decimal_under_a_semicolon_and_thousands_elsewhere() -> None:
    cells = column(["1,234", "5,678", "9,012"])
    assert typed(cells, infer_type(cells, "x", ";")).tolist() == [1.234, 5.678, 9.012]
    assert typed(cells, infer_type(cells, "x", ",")).tolist() == [1234, 5678, 9012]
    assert typed(column(["1.234,5"]), ColumnType("x", "NUMERIC", number="decimal-comma")).tolist() == [1234.5]


def test_a_row_counter_a_key_and_a_uuid_name_rows_but_unique_measurements_do_not() -> None:
    rng = np.random.default_rng(0)
    shuffled = [str(value) for value in rng.permutation(10_000)[:50]]
    assert infer_type(column([str(i) for i in range(100, 150)]), "anything").type == "IDENTIFIER"
    assert infer_type(column(shuffled), "customerId").type == "IDENTIFIER"
    assert infer_type(column(shuffled), "salary").type == "NUMERIC"
    assert infer_type(column([f"{value:08x}-{value}" for value in range(50)]), "u").type == "IDENTIFIER"


def test_sentences_are_text() -> None:
    sentences = [f"a story of {i} words and {i % 7} turns" for i in range(60)]
    assert infer_type(column(sentences), "x").type == "TEXT"


def test_what_was_not_seen_at_training_reads_as_missing_not_as_an_error() -> None:
    strange = column(["abc", "", "?", None, "1e999", "12"])
    assert typed(strange, ColumnType("x", "NUMERIC")).tolist()[-1] == 12
    assert typed(strange, ColumnType("x", "NUMERIC")).isna().sum() == 5
    assert typed(strange, ColumnType("x", "BOOLEAN")).isna().all()
    assert typed(strange, ColumnType("x", "DATE")).isna().all()
    assert typed(strange, ColumnType("x", "CATEGORICAL")).tolist() == ["abc", None, None, None, "1e999", "12"]


def test_typed_cells_read_like_their_text() -> None:
    assert typed(pd.Series([3.0, 4.5, np.nan]), ColumnType("x", "CATEGORICAL")).tolist() == ["3", "4.5", None]
    assert typed(pd.Series([True, False]), ColumnType("x", "BOOLEAN")).tolist() == [1.0, 0.0]
    dates = pd.Series(pd.to_datetime(["2024-01-31", None]))
    assert typed(dates, ColumnType("x", "DATE")).tolist()[0] == pd.Timestamp("2024-01-31")
