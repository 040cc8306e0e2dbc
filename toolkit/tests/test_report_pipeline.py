"""pipeline.py repeats the winner."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from finished_job import delays, grouped, hostile, houses, hurried, layered, penguins, timed, unsealed

TOOLKIT = Path(__file__).parents[1]


@pytest.mark.parametrize("job", [penguins, hostile, houses, hurried, layered, unsealed, grouped, timed, delays])
def test_running_it_on_the_csv_gives_the_jobs_score_again(job, tmp_path: Path) -> None:
    model = tmp_path / "again.pkl"
    done = subprocess.run(
        [sys.executable, job() / "out" / "pipeline.py", job() / "input" / "data.csv", "--model", model],
        capture_output=True, text=True, check=False, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TOOLKIT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = json.loads((job() / "out" / "metrics.json").read_text())
    said = dict(line.split(": ") for line in done.stdout.splitlines() if ": " in line)
    metric = metrics["metric"]
    named = "PINBALL@0.9" if job is delays else metric
    assert float(said[f"cross-validated {named}"]) == pytest.approx(metrics["trial"]["score"], rel=1e-5, abs=1e-6)
    if job is unsealed:
        assert f"holdout {named}" not in said
    else:
        assert float(said[f"holdout {named}"]) == pytest.approx(metrics["holdout"][metric], rel=1e-5, abs=1e-6)
    assert model.stat().st_size > 0
