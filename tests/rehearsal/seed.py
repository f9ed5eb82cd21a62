"""The first commit of the hosted repository: all code, and one small task.

The task's model is a planted one of four blocks, so that runs are short. Its reference
is what such a circuit would measure, with a little noise: no model was run for it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from bench.tasks.planted import draw_placement
from bench.tasks.registry import find_task
from bench.tasks.spec import Task
from tests.conftest import write_reference

ROOT = Path(__file__).resolve().parents[2]
TASK = "induction/tiny-llama"
BUILT_IN = "gradient-x-activation"
BLOCKS, SEED = 4, 9  # of those that leave room beside trivial answers

SUITES = f"""\
[core]
version = "1.0"
summary = "One planted circuit."
tasks = ["{TASK}"]
"""

CODE = ("bench", ".github", "schemas", "pyproject.toml", "constraints.txt")
SKIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "_data")


def bench(*arguments: str | Path, at: Path) -> str:
    """Run ``bench`` of a checkout in it, as its owner does; standard output.

    Raises:
        RuntimeError: It fails; with what it said.
    """
    root = () if arguments[0] == "task" else ("--root", ".")
    quiet = {
        "PYTHONPATH": str(at),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bench", *map(str, arguments), *root],
        cwd=at,
        env=dict(os.environ) | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"bench {arguments[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def plant(tree: Path) -> None:
    """Write everything that the repository holds before anybody submits."""
    tree.mkdir(parents=True)
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=SKIPPED)
        else:
            shutil.copy(source, tree / name)
    fewer_circuits(tree / "bench" / "reproduction" / "run.py")
    (tree / "tasks").mkdir()
    (tree / "tasks" / "suites.toml").write_text(SUITES)
    write_task(tree)
    results = tree.parent / "results"
    bench("evaluate", BUILT_IN, "--out", results, at=tree)
    options = ("--results", results, "--write", "--no-git")
    bench("submit", BUILT_IN, *options, at=tree)
    bench("leaderboard", at=tree)
    bench("findings", at=tree)


def fewer_circuits(file: Path) -> None:
    """Draw two fresh circuits instead of ten: the way is rehearsed, not the statistics.

    Raises:
        ValueError: The number does not stand there any more.
    """
    text = file.read_text()
    if text.count("EACH = 10\n") != 1:
        raise ValueError(f"'{file}' has no line EACH = 10")
    file.write_text(text.replace("EACH = 10\n", "EACH = 2\n"))


def write_task(tree: Path) -> None:
    """Draw a planted task, and make up its reference."""
    shape = ("--blocks", BLOCKS, "--architecture", "llama", "--seed", SEED)
    bench("task", "planted", f"tasks/{TASK}", *map(str, shape), at=tree)
    task = find_task(TASK, root=tree)
    write_reference(tree, task, measured(task))


def measured(task: Task) -> dict[str, np.ndarray]:
    """Make the arrays of a reference whose profiles are those of the circuit."""
    recipe = task.spec.model.planted
    prompts = task.spec.prompts.recipe
    if recipe is None or prompts is None:
        raise ValueError("the task is not planted")
    place = draw_placement(recipe, blocks=BLOCKS)
    rng = np.random.default_rng(SEED)
    shape = (prompts.reference, 2 * BLOCKS)
    gain = rng.normal(0.0, 0.01, shape)
    gain[:, list(place.induction)] += 1.0
    signature = np.cumsum(np.pad(gain, ((0, 0), (1, 0))), axis=1)
    kept = 1.0 + rng.normal(0.0, 0.01, shape)
    kept[:, [place.previous, *place.induction]] -= 1.0
    ablated = signature[:, -1:] * kept
    return {
        "gain": gain,
        "signature": signature,
        "ablated_mean": ablated,
        "ablated_resample": ablated,
    }
