"""Each guard of the workflows is broken once: the rehearsal has to notice."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.rehearsal import scenes
from tests.rehearsal.seed import plant
from tests.rehearsal.stage import Stage

SUBMISSION = ".github/workflows/submission.yml"
BOARD = ".github/workflows/board.yml"
Scene = Callable[[Stage, str], object]


@dataclass(frozen=True)
class Guard:
    """A text that guards something, and the scene that shows that it is gone."""

    file: str
    old: str
    new: str
    scene: Scene


def rejected(kind: str) -> Scene:
    """Return the scene of one kind of rejection."""
    return partial(_rejected, kind)


def _rejected(kind: str, stage: Stage, branch: str) -> None:
    scenes.rejected(stage, branch, kind)


GUARDS = {
    "the installed validator is the default branch's": Guard(
        SUBMISSION,
        "      - name: Install the validator\n        working-directory: trusted\n",
        "      - name: Install the validator\n        working-directory: untrusted\n",
        scenes.hostile_code,
    ),
    "the checkout of the validator is the default branch": Guard(
        SUBMISSION,
        "          ref: ${{ github.event.repository.default_branch }}\n",
        "          ref: ${{ github.event.pull_request.head.sha }}\n",
        scenes.hostile_code,
    ),
    "other files do not switch the review off": Guard(
        SUBMISSION, "$FORK == true || ", "", rejected("another file")
    ),
    "a failed review stops": Guard(
        SUBMISSION,
        "bench review untrusted",
        "true bench review untrusted",
        rejected("forged values"),
    ),
    "the whole tree is validated before the board": Guard(
        BOARD,
        "run: bench validate submissions/* --root . --format github",
        "run: 'true'",
        scenes.forced,
    ),
    "workflows have owners": Guard(
        ".github/CODEOWNERS", "/.github/ ", "/nothing/ ", scenes.hostile_workflow
    ),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository, and the answers of a method."""
    folder = tmp_path_factory.mktemp("guards")
    plant(folder / "seed")
    scenes.write_submission(
        Stage(folder / "stage", folder / "seed"), folder / "answers"
    )
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", GUARDS)
def test_a_broken_guard_is_noticed(planted: Path, tmp_path: Path, name: str) -> None:
    """The scene that a guard is there for fails without it."""
    guard = GUARDS[name]
    seed = shutil.copytree(planted / "seed", tmp_path / "seed")
    file = seed / guard.file
    text = file.read_text()
    assert guard.old in text
    file.write_text(text.replace(guard.old, guard.new))
    stage = Stage(tmp_path / "stage", seed)
    branch = scenes.write_submission(stage, planted / "answers")
    with pytest.raises(scenes.SceneError, match=r"^expected: "):
        guard.scene(stage, branch)
