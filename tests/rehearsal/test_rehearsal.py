from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.rehearsal.play import play
from tests.rehearsal.spoils import REJECTED

FEW = ("another file", "a name like a command", "other code", "forged values")
"""What differs for a workflow: what is read, what is told, what is refused first. What
is wrong with submissions in all other ways is tested where it is found."""


@pytest.mark.parametrize(
    "rejected",
    [
        pytest.param(FEW, id="few"),
        pytest.param(tuple(REJECTED), id="all", marks=pytest.mark.slow),
    ],
)
def test_the_life_of_submissions_is_as_it_should_be(
    tmp_path: Path, rejected: Sequence[str]
) -> None:
    """Every scene: rejected, hostile, good, withdrawn; as the files have it."""
    played = list(play(tmp_path, rejected=rejected))
    failed = [f"{scene.name}\n{scene.error}" for scene in played if scene.error]
    assert not failed, "\n\n".join(failed)
    assert len(played) == len(rejected) + 6
