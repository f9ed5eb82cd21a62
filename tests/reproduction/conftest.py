import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel
from bench.reproduction.cage import INSIDE_HOME, Cage, find_cage, scrubbed
from bench.reproduction.replies import Expected, UnusableError, read_reply
from bench.reproduction.request import ANSWERS, Answer, Limits
from bench.reproduction.supervise import Ended, Supervised, supervise
from bench.reproduction.workspace import Given, write_workspace
from bench.results.reproduction_record import IsolationKind
from bench.results.store import write_atomically

HEAD = """\
import os, socket, sys
from pathlib import Path
import numpy as np
from bench.api import LayerAttribution, TaskContext, method

@method("mine", kind="write")
def mine(ctx: TaskContext) -> LayerAttribution:
"""
CIRCUITS = 2


class Ran(NamedTuple):
    """What became of a child."""

    ended: Ended
    answers: list[Answer | str]
    """An answer, or why there is none, for each circuit."""
    workspace: Path


@pytest.fixture(scope="session")
def strongest(tmp_path_factory: pytest.TempPathFactory) -> IsolationKind:
    """The isolation that this machine allows."""
    return find_cage(None, scratch=tmp_path_factory.mktemp("try")).kind


@pytest.fixture
def namespaces(strongest: IsolationKind) -> None:
    """Skip a test where the machine does not allow namespaces."""
    if strongest != "namespaces":
        pytest.skip(f"isolation here: {strongest}")


@pytest.fixture
def run_child(
    tmp_path: Path, tiny_model: SubjectModel, tiny_batch: PromptBatch
) -> Callable[..., Ran]:
    """Run a method's source on two small circuits in a process of its own."""

    def run(
        body: str,
        *,
        before: str = "",
        kind: IsolationKind = "process",
        limits: Limits | None = None,
    ) -> Ran:
        workspace = tmp_path / "workspace"
        body = "".join(f"    {line}\n" for line in body.splitlines())
        write_atomically(workspace / "method.py", (before + HEAD + body).encode())
        given = partial(Given, tiny_model.module, tiny_batch, seed=0)
        limits = Limits(timeout_s=120.0) if limits is None else limits
        write_workspace(
            workspace,
            [given] * CIRCUITS,
            method="method.py:mine",
            limits=limits,
            report=lambda _done, _total: None,
        )
        root, home = tmp_path / "root", tmp_path / "home"
        for folder in (root, home):
            folder.mkdir()
        inside = INSIDE_HOME if kind == "namespaces" else home
        answers = os.open(workspace / ANSWERS, os.O_RDONLY)
        expected = Expected(tiny_model.n_sections, len(tiny_batch))
        try:
            command = Cage(kind).command(root, workspace)
            job = Supervised(command, scrubbed(inside), home, answers)
            ended = supervise(job, limits)
            found = [reply(answers, i, expected) for i in range(CIRCUITS)]
        finally:
            os.close(answers)
        return Ran(ended, found, workspace)

    return run


def reply(answers: int, index: int, expected: Expected) -> Answer | str:
    """Read an answer or why there is none."""
    try:
        return read_reply(answers, index, expected)
    except UnusableError as error:
        return str(error)


@pytest.fixture
def answers(tmp_path: Path) -> int:
    """A folder of answers, held open."""
    (tmp_path / ANSWERS).mkdir()
    return os.open(tmp_path / ANSWERS, os.O_RDONLY)


@cache
def built(seed: int, redundant: bool, architecture: str, blocks: int) -> SubjectModel:
    """Build a planted model once for all tests."""
    from bench.models.planted.build import build_planted
    from bench.tasks.planted import PlantedRecipe

    recipe = PlantedRecipe(seed=seed, redundant=redundant)
    return build_planted(recipe, architecture=architecture, blocks=blocks)
