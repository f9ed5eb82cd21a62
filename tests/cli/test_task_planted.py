import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.tasks.planted import PlantedRecipe
from bench.tasks.spec import ModelSource, read_task

Bench = Callable[..., Any]

SMALL = ["--seed", "3", "--blocks", "2"]


def test_planted(bench: Bench) -> None:
    """The path is on stdout, the next step on stderr, and the task is there."""
    ran = bench("task", "planted", "mine", "--seed", "3", root=False)

    assert (ran.code, ran.out) == (0, "mine/task.toml\n")
    assert ran.err == (
        "Next: bench reference compute mine/task.toml, then bench evaluate METHOD "
        "--task mine/task.toml\n"
    )
    spec = read_task(Path("mine/task.toml")).spec
    assert spec.model == ModelSource(
        planted=PlantedRecipe(seed=3), architecture="llama", blocks=8
    )


def test_planted_with_every_option(bench: Bench) -> None:
    """Architecture, depth and redundancy are passed on."""
    ran = bench(
        *("task", "planted", "mine", "--seed", "4", "--architecture", "gemma2"),
        *("--blocks", "5", "--redundant"),
        root=False,
    )

    assert ran.code == 0
    spec = read_task(Path("mine/task.toml")).spec
    assert spec.model == ModelSource(
        planted=PlantedRecipe(seed=4, redundant=True), architecture="gemma2", blocks=5
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--architecture", "bert"], "circuits are planted in gpt2, llama, gemma2; "),
        (["--blocks", "2", "--redundant"], "the planted circuit needs 3 blocks; "),
        (["--blocks", "1"], "Invalid value for '--blocks'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
    ],
)
def test_planted_refuses(options: list[str], message: str, bench: Bench) -> None:
    """What cannot be planted is refused, and nothing is written."""
    ran = bench("task", "planted", "mine", "--seed", "3", *options, root=False)

    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())
    assert not Path("mine").exists()


def test_a_planted_task_is_shown(bench: Bench) -> None:
    """What was written is a task like any other, its reference still to be measured."""
    path = bench("task", "planted", "mine", *SMALL, root=False).out.strip()
    ran = bench("show", path)
    shown = dict(line.split(None, 1) for line in ran.out.splitlines())

    assert (ran.code, ran.err) == (0, "")
    assert shown["task"] == "induction/mine"
    assert shown["sections"] == "4"
    assert "seed=3" in shown["model"]
    assert shown["model"].endswith("(llama, 2 blocks)")
    assert ran.out.splitlines()[-2].split() == ["reference", "pending"]
    plain = json.loads(bench("show", path, "--json").out)
    assert plain["model"]["planted"]["seed"] == 3


def test_planted_needs_a_seed_and_a_folder(bench: Bench) -> None:
    """Nothing is planted by a seed that nobody chose, or nowhere."""
    ran = bench("task", "planted", "mine", root=False)
    assert (ran.code, ran.out) == (2, "")
    assert "missing option '--seed'" in ran.err.lower()
    assert not Path("mine").exists()

    ran = bench("task", "planted", *SMALL, root=False)
    assert (ran.code, ran.out) == (2, "")
    assert "missing argument 'folder'" in ran.err.lower()


def test_planted_leaves_tasks_alone(bench: Bench) -> None:
    """A task that is there is never written over."""
    Path("mine").mkdir()
    Path("mine/task.toml").write_text("mine")
    ran = bench("task", "planted", "mine", *SMALL, root=False)

    assert (ran.code, ran.out) == (2, "")
    expected = "exists already and was left alone. Name a new folder.\n"
    assert ran.err == f"'mine/task.toml' {expected}"
    assert Path("mine/task.toml").read_text() == "mine"


def test_planted_refuses_names(bench: Bench) -> None:
    """The folder's name has to be one for a task."""
    ran = bench("task", "planted", "My_Task", *SMALL, root=False)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("'My_Task' cannot name a task: use lower-case letters,")
    assert not Path("My_Task").exists()
