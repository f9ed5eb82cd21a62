"""The order of the scenes."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.rehearsal import scenes
from tests.rehearsal.seed import plant
from tests.rehearsal.spoils import REJECTED
from tests.rehearsal.stage import Stage


@dataclass(frozen=True)
class Played:
    """One scene and how it went."""

    name: str
    error: Exception | None
    seconds: float


def play(
    folder: Path, *, only: str = "", rejected: Iterable[str] = REJECTED
) -> Iterator[Played]:
    """Play the scenes in a new folder, one after the other.

    Args:
        folder: An empty folder.
        only: Words that the names of the scenes have to hold.
        rejected: What is wrong with pull requests that are rejected; all by default.
    """
    plant(folder / "seed")
    stage = Stage(folder / "stage", folder / "seed")
    results = folder / "answers"
    branch = scenes.write_submission(stage, results)
    for name, scene in script(stage, branch, results, rejected):
        if only in name:
            yield perform(name, scene)


def script(
    stage: Stage, branch: str, results: Path, rejected: Iterable[str]
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the scenes; those that change main come last."""
    for kind in rejected:
        yield f"rejected: {kind}", partial(scenes.rejected, stage, branch, kind)
    yield "hostile: a validator", partial(scenes.hostile_code, stage, branch)
    yield "hostile: a workflow", partial(scenes.hostile_workflow, stage, branch)
    yield "hostile: a method", partial(scenes.attack, stage, results)
    yield "merged past the review", partial(scenes.forced, stage, branch)
    yield "a good submission", partial(scenes.good, stage, branch)
    yield "a withdrawal", partial(scenes.withdrawn, stage)


def perform(name: str, scene: Callable[[], object]) -> Played:
    """Play one scene."""
    started = time.monotonic()
    error = None
    try:
        scene()
    except (scenes.SceneError, RuntimeError, OSError, KeyError, ValueError) as caught:
        error = caught
    return Played(name, error, time.monotonic() - started)
