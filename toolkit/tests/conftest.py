from pathlib import Path

import numpy as np
import pytest
from job_folder import JobFolder


@pytest.fixture
def job(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A binary job with every type of column, prepared; trials are added by the tests."""
    rng = np.random.default_rng(0)
    n = 160
    size = rng.normal(size=n)
    words = np.array("red green blue fast slow big small old new odd".split())
    rows = [
        [
            f"{size[i]:.3f}" if rng.random() > 0.1 else "?",
            rng.choice(["a", "b", "NA"]),
            f"town {rng.integers(40)}",
            rng.choice(["yes", "no"]),
            f"20{rng.integers(10, 24)}-0{rng.integers(1, 10)}-1{rng.integers(10)}",
            " ".join(rng.choice(words, 6)),
            "yes" if size[i] + 0.5 * rng.normal() > 0 else "no",
        ]
        for i in range(n)
    ]
    folder = JobFolder(tmp_path_factory.mktemp("mixed"))
    folder.write_rows(["size", "kind", "town", "flag", "day", "story", "bought"], rows)
    return folder.ready("bought")
