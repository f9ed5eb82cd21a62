import subprocess
import sys
from pathlib import Path

import pytest

from bench.results.per_prompt_file import write_per_prompt
from bench.submissions.manifest import MANIFEST

pytest.importorskip("atheris", reason="atheris has wheels for Linux alone")

ROOT = Path(__file__).resolve().parents[2]
RUNS = {"strict": 20_000, "records": 2_000, "arrays": 5_000}
"""Seconds each; ``make fuzz`` runs longer."""


@pytest.mark.parametrize("target", RUNS)
def test_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    """Guided by coverage, from valid beginnings, no input crashes a reader."""
    import numpy as np

    seeds = tmp_path / "seeds"
    seeds.mkdir()
    real = sorted((ROOT / "submissions").glob("*/" + MANIFEST))[:1]
    for number, path in enumerate(real):
        (seeds / str(number)).write_bytes(path.read_bytes())
    (seeds / "arrays").write_bytes(write_per_prompt(np.ones((2, 3))))
    (seeds / "empty").write_bytes(b"{}")
    done = subprocess.run(
        [
            sys.executable,
            *("-m", "tests.fuzz.harness", target),
            *(f"-runs={RUNS[target]}", "-seed=1", f"-artifact_prefix={tmp_path}/"),
            str(seeds),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr
