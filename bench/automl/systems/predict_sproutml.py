"""Our half of predicting: the toolkit's own `predict` command for the answers, a warm call of the same model for the time."""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from sproutml_toolkit.model import load_model
from sproutml_toolkit.predict import main as predict_command
from sproutml_toolkit.table import read_table

_PREFIX = "probability_"


def main(folder: Path) -> int:
    """Writes predictions.csv and predict.json; returns an exit code."""
    model_file, test_file, output = folder / "model" / "model.pkl", folder / "test.csv", folder / "output.csv"
    code = predict_command(["--model", str(model_file), "--input", str(test_file), "--output", str(output)])
    if code != 0:
        return code
    written = pd.read_csv(output, dtype=str, keep_default_na=False)
    is_regression = json.loads((folder / "request.json").read_text())["task"] == "regression"
    wanted = ["prediction"] if is_regression else [name for name in written if name.startswith(_PREFIX)]
    answers = written[wanted].rename(columns=lambda name: name.removeprefix(_PREFIX))
    answers.to_csv(folder / "predictions.csv", index=False)
    model, test = load_model(model_file), read_table(test_file)
    model.predict(test)
    started = time.perf_counter()
    model.predict(test)
    micros = (time.perf_counter() - started) / len(test) * 1e6
    (folder / "predict.json").write_text(json.dumps({"micros_per_row": micros}))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[2])))
