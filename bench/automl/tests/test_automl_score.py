"""The harness's scores are scikit-learn's, whatever order a system writes its columns in; what is no prediction is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from automl_bench.errors import BenchError
from automl_bench.score import read_predictions, score
from benchmark_folder import ROWS, dataset, write_folder
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score


def probabilities(classes: int) -> np.ndarray:
    values = np.random.default_rng(1).random((ROWS, classes))
    return values / values.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("positive", ["no", "01", None])
def test_auc(tmp_path: Path, positive: str | None) -> None:
    table = dataset(write_folder(tmp_path), "colour")
    table = type(table)(**{**table.__dict__, "positive_class": positive})
    truth, values = table.cells["y"].to_numpy(), probabilities(2)
    pd.DataFrame(values[:, ::-1], columns=["no", "01"]).to_csv(tmp_path / "p.csv", index=False)
    expected = roc_auc_score(truth == "no", values[:, 1])
    assert score(table, truth, read_predictions(tmp_path / "p.csv", table, ROWS)) == pytest.approx(expected, abs=1e-12)


def test_log_loss_counts_a_class_that_was_left_out_as_probability_zero(tmp_path: Path) -> None:
    table = dataset(write_folder(tmp_path), "three")
    truth, values = table.cells["y"].to_numpy(), probabilities(3)
    pd.DataFrame(values, columns=table.classes)[["y", "rare", "x"]].to_csv(tmp_path / "p.csv", index=False)
    expected = log_loss(truth, values, labels=table.classes)
    assert score(table, truth, read_predictions(tmp_path / "p.csv", table, ROWS)) == pytest.approx(expected, abs=1e-12)
    two = probabilities(2)
    pd.DataFrame(two, columns=["y", "x"]).to_csv(tmp_path / "p.csv", index=False)
    with_zero = np.column_stack([np.zeros(ROWS), two[:, 1], two[:, 0]])
    expected = log_loss(truth, with_zero, labels=table.classes)
    assert score(table, truth, read_predictions(tmp_path / "p.csv", table, ROWS)) == pytest.approx(expected, abs=1e-9)


def test_rmse(tmp_path: Path) -> None:
    table = dataset(write_folder(tmp_path), "value")
    truth, values = table.cells["y"].to_numpy(), np.random.default_rng(2).normal(7000, 50, ROWS)
    pd.DataFrame({"prediction": values}).to_csv(tmp_path / "p.csv", index=False)
    expected = mean_squared_error(truth.astype(float), values) ** 0.5
    assert score(table, truth, read_predictions(tmp_path / "p.csv", table, ROWS)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        "x,y,rare\n" + "0.5,0.5,0\n" * (ROWS - 1),
        "x,y,green\n" + "0.5,0.5,0\n" * ROWS,
        "x,y,rare\n" + "0.5,,0.5\n" * ROWS,
        "x,y,rare\n" + "0.5,0.7,0\n" * ROWS,
        "x,y,rare\n" + "1.5,-0.5,0\n" * ROWS,
        "x,y,rare\n" + "inf,0,0\n" * ROWS,
    ],
)
def test_what_is_no_prediction_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "p.csv").write_text(written)
    with pytest.raises(BenchError, match="PREDICTIONS_INVALID"):
        read_predictions(tmp_path / "p.csv", dataset(write_folder(tmp_path), "three"), ROWS)
