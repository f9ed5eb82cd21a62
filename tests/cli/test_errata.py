"""``bench leaderboard`` where scores or references were corrected."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EARLY
from tests.corrections import correct_reference

Bench = Callable[..., Any]
REASON = "The reference was measured with the wrong seed."

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def published(bench: Bench, submit: Callable[..., Path], repository: Path) -> Path:
    """A repository with one submission, on its leaderboard."""
    submit()
    assert bench("leaderboard").code == 0
    return repository


def tree(root: Path) -> dict[str, bytes]:
    """Return the bytes of everything that is in a repository."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_correction_from_end_to_end(bench: Bench, published: Path) -> None:
    """It needs a reason, is written once, and leaves every old result as it is."""
    first = tree(published)
    correct_reference(published)
    corrected = tree(published)

    ran = bench("leaderboard")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("bench leaderboard --erratum REASON\n")
    assert tree(published) == corrected
    assert bench("leaderboard", "--check").code == 2

    ran = bench("leaderboard", "--erratum", REASON)
    erratum = published / "records" / "errata" / "0001.json"
    assert ran.code == 0
    assert ran.out.splitlines()[0] == str(erratum)
    after = tree(published)
    assert {name for name in after if name.startswith("submissions")} <= set(first)
    for name in first:
        if name.startswith("submissions"):
            assert after[name] == first[name]
    stored = json.loads(erratum.read_text())
    assert stored["reason"] == REASON
    assert stored["after"]["tasks"][EARLY] == 2
    board = json.loads(after["leaderboard.json"])
    assert board["errata"] == [stored]
    text = after["leaderboard.md"].decode()
    assert "## Errata\n\n" in text
    assert f"**0001** (induction/early 1 to 2): {REASON}\n\n| method" in text

    assert bench("leaderboard", "--check").code == 0
    assert bench("leaderboard").code == 0
    assert tree(published) == after


def test_several_corrections(bench: Bench, published: Path) -> None:
    """The second follows the first, on the board and in the folder."""
    for number in (1, 2):
        correct_reference(published)
        assert bench("leaderboard", "--erratum", f"Reason {number}.").code == 0

    text = (published / "leaderboard.md").read_text()
    assert text.index("**0002**") < text.index("**0001**")
    assert bench("leaderboard", "--check").code == 0


def test_an_edited_erratum_shows(bench: Bench, published: Path) -> None:
    """The board follows from the errata, so that a changed one makes it stale."""
    correct_reference(published)
    bench("leaderboard", "--erratum", REASON)
    path = published / "records" / "errata" / "0001.json"
    path.write_text(path.read_text().replace("wrong seed", "right seed"))

    assert bench("leaderboard", "--check").code == 2
    path.unlink()
    assert bench("leaderboard", "--check").code == 2


def test_a_board_that_was_removed(bench: Bench, published: Path) -> None:
    """The versions of the last erratum tell that there was another one."""
    correct_reference(published)
    bench("leaderboard", "--erratum", REASON)
    correct_reference(published)
    (published / "leaderboard.json").unlink()

    ran = bench("leaderboard")
    assert ran.code == 2
    assert "(induction/early 2 to 3)" in ran.err
    ran = bench("leaderboard", "--check")
    assert ran.err.startswith("Versions changed after the last erratum (induction/earl")


def test_check_writes_nothing(bench: Bench) -> None:
    """A check with an erratum is a contradiction."""
    ran = bench("leaderboard", "--check", "--erratum", REASON)

    assert ran.code == 2
    assert ran.err == "--check writes nothing, and --erratum is to be written.\n"
