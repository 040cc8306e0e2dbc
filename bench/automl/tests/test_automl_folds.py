"""Folds: every row once, classes spread evenly, and the same whoever asks and whenever."""

import json
from pathlib import Path

import numpy as np
import pytest
from automl_bench.catalogue import load_catalogue
from automl_bench.errors import BenchError
from automl_bench.folds import folds_of
from benchmark_folder import ROWS, dataset, write_folder


@pytest.mark.parametrize("name", ["colour", "three", "value"])
def test_every_row_is_tested_once(tmp_path: Path, name: str) -> None:
    folds = folds_of(dataset(write_folder(tmp_path), name), 5, tmp_path / "folds")
    assert len(folds) == 5
    assert sorted(np.concatenate(folds)) == list(range(ROWS))


def test_classes_are_spread_evenly(tmp_path: Path) -> None:
    three = dataset(write_folder(tmp_path), "three")
    target = three.cells["y"].to_numpy()
    for label in three.classes:
        counts = [(target[rows] == label).sum() for rows in folds_of(three, 5, tmp_path / "folds")]
        assert max(counts) - min(counts) <= 1, label


def test_folds_are_made_once_and_the_same_in_another_place(tmp_path: Path) -> None:
    table = dataset(write_folder(tmp_path), "colour")
    first = folds_of(table, 3, tmp_path / "one")
    assert [rows.tolist() for rows in folds_of(table, 3, tmp_path / "two")] == [rows.tolist() for rows in first]
    path = tmp_path / "one" / "colour-3.json"
    stored = json.loads(path.read_text())
    stored["test_rows"] = [[0], [1], [2]]
    path.write_text(json.dumps(stored))
    assert [rows.tolist() for rows in folds_of(table, 3, tmp_path / "one")] == [[0], [1], [2]]


def test_folds_of_another_table_are_refused(tmp_path: Path) -> None:
    folds_of(dataset(write_folder(tmp_path), "colour"), 3, tmp_path / "folds")
    with (tmp_path / "colour.csv").open("a") as file:
        file.write("0.1,row999,no,no\n")
    with pytest.raises(BenchError, match="FOLDS_OF_ANOTHER_TABLE"):
        folds_of(dataset(tmp_path, "colour"), 3, tmp_path / "folds")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"metric": "accuracy"}, "CATALOGUE_INVALID"),
        ({"task": "ranking"}, "CATALOGUE_INVALID"),
        ({"name": "other"}, "DATASET_UNKNOWN"),
    ],
)
def test_a_wrong_catalogue_is_told(tmp_path: Path, change: dict, code: str) -> None:
    path = write_folder(tmp_path) / "catalogue.json"
    catalogue = json.loads(path.read_text())
    catalogue["datasets"][0] |= change
    path.write_text(json.dumps(catalogue))
    with pytest.raises(BenchError, match=code):
        load_catalogue(tmp_path, ["colour"])
