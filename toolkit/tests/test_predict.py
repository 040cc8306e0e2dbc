"""A model.pkl answers for raw tables: as text or typed, with columns in any order, cells missing or never seen."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from job_folder import JobFolder, code_of, environment
from sproutml_toolkit.model import FittedModel, fitted_model, load_model, save_model
from sproutml_toolkit.table import read_table


@pytest.fixture(scope="module")
def model(mixed: JobFolder) -> FittedModel:
    mixed.train("m1", "LIGHTGBM", params={"rounds": 20})
    mixed.train("m2", "LINEAR")
    mixed.ensemble("m", ["m1", "m2"])
    with mixed.inside():
        built = fitted_model("m")
        save_model(built, "out/model.pkl")
    return load_model(mixed.folder / "out/model.pkl")


def predict(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sproutml_toolkit", "predict", *arguments],
        capture_output=True, text=True, cwd=folder, env=environment(), check=False,
    )  # fmt: skip


def test_the_command_adds_predictions_to_any_dialect(mixed: JobFolder, model: FittedModel, tmp_path: Path) -> None:
    table = read_table(mixed.folder / "input/data.csv").drop(columns="bought")
    table.to_csv(tmp_path / "new.csv.gz", sep=";", index=False, encoding="latin-1")
    done = predict(tmp_path, "--model", str(mixed.folder / "out/model.pkl"), "--input", "new.csv.gz", "--output", "p.csv")
    assert done.returncode == 0, done.stderr
    predictions = pd.read_csv(tmp_path / "p.csv")
    assert list(predictions.columns) == [*table.columns, "prediction", "probability_no", "probability_yes"]
    assert predictions["prediction"].tolist() == model.predict(table).tolist()
    assert np.allclose(predictions["probability_yes"], model.predict_probabilities(table)[:, 1], rtol=0, atol=1e-9)
    assert ((predictions["probability_yes"] > 0.5) == (predictions["prediction"] == "yes")).all()
    truth = read_table(mixed.folder / "input/data.csv")["bought"]
    assert (predictions["prediction"] == truth).mean() > 0.7


def test_numbers_may_be_written_another_way_than_in_the_training_table(
    mixed: JobFolder, model: FittedModel, tmp_path: Path
) -> None:
    table = read_table(mixed.folder / "input/data.csv").drop(columns="bought")
    table.assign(size=table["size"].str.replace(".", ",")).to_csv(tmp_path / "new.csv", sep=";", index=False)
    done = predict(tmp_path, "--model", str(mixed.folder / "out/model.pkl"), "--input", "new.csv", "--output", "p.csv")
    assert (done.returncode, done.stderr) == (0, "")
    expected = model.predict_probabilities(table)[:, 1]
    assert np.allclose(pd.read_csv(tmp_path / "p.csv", sep=",")["probability_yes"], expected, atol=1e-6)


def test_values_that_cannot_be_read_are_said_and_count_as_missing(
    mixed: JobFolder, model: FittedModel, tmp_path: Path
) -> None:
    table = read_table(mixed.folder / "input/data.csv").drop(columns="bought").head(40)
    table.assign(size="large", day="soon").to_csv(tmp_path / "new.csv", index=False)
    done = predict(tmp_path, "--model", str(mixed.folder / "out/model.pkl"), "--input", "new.csv", "--output", "p.csv")
    assert done.returncode == 0
    assert '40 of 40 values of "size" are no numbers, such as "large"' in done.stderr
    assert '40 of 40 values of "day" are no dates, such as "soon"' in done.stderr
    expected = model.predict_probabilities(table.assign(size="", day=""))[:, 1]
    assert np.allclose(pd.read_csv(tmp_path / "p.csv")["probability_yes"], expected, atol=1e-6)


def test_a_model_gives_the_same_scores_from_raw_cells_as_from_the_job_s_own_rows(
    mixed: JobFolder, model: FittedModel
) -> None:
    raw = read_table(mixed.folder / "input/data.csv")
    with mixed.inside():
        from sproutml_toolkit import workspace

        table = workspace.load_table()
    assert np.array_equal(model.predict_probabilities(raw.iloc[table.row_ids]), model.predict_scores(table.X))


def test_typed_unseen_missing_and_shuffled_cells_are_answered(model: FittedModel) -> None:
    raw = pd.DataFrame(
        {
            "extra": [1, 2, 3],
            "story": [None, "words never seen before", ""],
            "day": pd.to_datetime(["2024-05-05", None, "1850-01-01"]),
            "flag": [True, False, True],
            "town": ["Atlantis", None, "town 3"],
            "kind": [1.0, np.nan, 2.0],
            "size": [0.5, np.inf, np.nan],
        }
    )
    probabilities = model.predict_probabilities(raw)
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1.0)
    assert set(model.predict(raw)) <= {"yes", "no"}
    assert model.predict(raw.iloc[:0]).shape == (0,)


def test_a_table_that_lacks_columns_is_refused_by_name(mixed: JobFolder, model: FittedModel, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("size,kind\n1,a\n2,b\n")
    done = predict(tmp_path, "--model", str(mixed.folder / "out/model.pkl"), "--input", "new.csv")
    assert done.returncode == 2
    assert done.stderr.startswith("COLUMNS_MISSING: ")
    assert "town, flag, day, story" in done.stderr


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"not a pickle")
    assert code_of(load_model, tmp_path / "model.pkl") == "MODEL_UNREADABLE"
    assert code_of(load_model, tmp_path / "none.pkl") == "MODEL_UNREADABLE"
