"""Ctrl-C at a run, as a terminal sends it: to the command and all its processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.execution.test_kill import wait_for

METHOD = '''\
"""A method for a test."""

import time
from pathlib import Path

from bench.api import LayerAttribution, TaskContext, method

HERE = Path(__file__).parent


@method("patient", kind="write")
def patient(ctx: TaskContext) -> LayerAttribution:
    """Wait."""
    (HERE / "began").touch()
    while not (HERE / "go").exists():
        time.sleep(0.05)
    return LayerAttribution(values=range(ctx.n_sections))
'''
TASK = "induction/planted-gpt2"


@contextmanager
def heeding_interrupts() -> Generator[None, None, None]:
    """Let what is started here take Ctrl-C.

    Where tests run in the background, shells have them ignore it, and what they start.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    "executor",
    [
        "process",
        pytest.param("local", marks=pytest.mark.slow),
        pytest.param("ray", marks=pytest.mark.slow),
    ],
)
def test_an_interruption(tmp_path: Path, executor: str) -> None:
    """It is said in a line, no process is left, and the same command goes on."""
    (tmp_path / "patient.py").write_text(METHOD)
    options = [] if executor == "local" else ["--workers", "1"]
    command = [sys.executable, "-m", "bench", "evaluate", str(tmp_path / "patient.py")]
    command += ["--task", TASK, "--executor", executor, *options]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    with heeding_interrupts():
        run = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    try:
        wait_for((tmp_path / "began").exists)
        children = psutil.Process(run.pid).children(recursive=True)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=60)
        left = psutil.wait_procs(children, timeout=30)[1]
    finally:
        (tmp_path / "go").touch()  # whatever waits still can end
        run.kill()

    assert run.returncode == 130
    assert said.splitlines()[-1] == "Interrupted; the same command continues."
    assert "Traceback" not in said
    assert bool(children) == (executor != "local")
    assert left == []

    again = subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, timeout=120
    )
    assert again.returncode == 0
    assert (tmp_path / f"results/patient/{TASK}.json").exists()
