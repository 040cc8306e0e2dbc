"""Every dialect reads to the same table; what is no table is refused with a code."""

import gzip
from pathlib import Path

import pytest
from job_folder import code_of
from sproutml_toolkit import table
from sproutml_toolkit.table import column_names, read_table


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"a,b\n1,\xc3\xa9\n", {}),
        (b"\xef\xbb\xbfa,b\r\n1,\xc3\xa9\r\n", {"encoding": "utf-8-sig"}),
        (b"\xef\xbb\xbfa,b\n1,\xc3\xa9\n", {"encoding": "utf-8"}),
        (b"a;b\n1;\xe9\n", {"delimiter": ";", "encoding": "latin-1"}),
        (b'"a"\t"b"\n"1"\t"\xc3\xa9"\n', {"delimiter": "\t"}),
        (b"a|b\n1|\xc3\xa9", {"delimiter": "|"}),
        (b"\n\na,b\n\n1,\xc3\xa9\n\n", {}),
        (gzip.compress(b"a,b\n1,\xc3\xa9\n"), {"compression": "gzip"}),
        (b"a,b\n1,\xe9\n", {"encoding": "utf-8"}),
    ],
)
def test_every_dialect_reads_to_the_same_cells(tmp_path: Path, content: bytes, options: dict) -> None:
    read = read_table(write(tmp_path / "t", content), **options)
    assert list(read.columns) == ["a", "b"]
    assert read.to_numpy().tolist() == [["1", "é"]]


def test_quoted_cells_keep_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    read = read_table(write(tmp_path / "t", b'a,b\n"x, ""y""\nz",2\n'))
    assert read.to_numpy().tolist() == [['x, "y"\nz', "2"]]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b" \n\n", "EMPTY_FILE"),
        (b"a,b\n", "HEADER_ONLY"),
        (b"a,b\n1,2,3\n", "UNREADABLE_TABLE"),
        (b"a,b\n1,2\n3,4,5\n", "UNREADABLE_TABLE"),
        (b'a,b\n1,"2\n3,4\n', "UNREADABLE_TABLE"),
        (b"PK\x03\x04\x00\x00\x00binary", "UNREADABLE_TABLE"),
        ("a,b\n1,2\n".encode("utf-16"), "UNREADABLE_TABLE"),
    ],
)
def test_what_is_no_table_is_refused_with_its_code(tmp_path: Path, content: bytes, code: str) -> None:
    assert code_of(read_table, write(tmp_path / "t", content)) == code


def test_a_cut_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + bytes(range(48, 58)) * 5_000)
    assert code_of(read_table, write(tmp_path / "t", whole[:-20]), compression="gzip") == "UNREADABLE_TABLE"


def test_header_names_become_unique_and_none_is_empty() -> None:
    assert column_names(["x", "x", "", "x_2", " y "]) == ["x", "x_3", "column_3", "x_2", "y"]


def test_a_large_file_reads_to_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_TEXT_BYTES", 0)
    monkeypatch.setattr(table, "_SAMPLE_ROWS", 3)
    read = read_table(write(tmp_path / "t", b"n,code,s\n1,007,a\n?,010,b\n3,001,c\n4,020,NA\n5,003,e\n"))
    assert read["n"].tolist()[2:] == [3, 4, 5]
    assert read["code"].tolist() == ["007", "010", "001", "020", "003"]
    ragged = write(tmp_path / "r", b"a,b\n" + b"1,2\n" * 9 + b"1,2,3\n")
    assert code_of(read_table, ragged) == "UNREADABLE_TABLE"
