"""Every byte of a small valid submission is changed, in several ways."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.leaderboard import leaderboard_entries
from bench.leaderboard.generate import generate
from bench.results.trusted import Trusted
from bench.submissions.manifest import CODE, MANIFEST, README
from tests.submissions.corpus.cases import FIRST, NAME, SECOND

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_every_changed_byte_is_refused_or_changes_nothing(
    small: Path, repository_template: Path, tmp_path: Path
) -> None:
    """Whatever byte of whatever file changes, nothing that is shown changes.

    Spaces between the parts of the manifest may change, a zero may follow the digits of
    a claim, and the README may say anything; nothing else is accepted.
    """
    folder = shutil.copytree(small, tmp_path / NAME)
    module = ["-m", "tests.submissions.tampering"]
    done = subprocess.run(
        [sys.executable, *module, str(repository_template), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, int]] = json.loads(done.stdout)
    assert set(found) == {MANIFEST, README, CODE, FIRST, SECOND}
    for name, ends in found.items():
        assert set(ends) <= {"bytes", "refused", "same"}, name
        assert ends["refused"] + ends.get("same", 0) > 10 * ends["bytes"]
        assert ("same" in ends) == (name in (MANIFEST, README))


def board(root: Path, trusted: Trusted) -> dict[str, str]:
    """Generate all files of the board."""
    return dict(generate(leaderboard_entries(root, trusted), trusted).files)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (MANIFEST, lambda data: data.replace(b" ", b"", 1)),
        (MANIFEST, lambda data: data + b"\n\n"),
        (README, lambda data: data + b"Better than all others.\n"),
        (README, lambda data: b""),
    ],
    ids=["less-space", "more-lines", "more-text", "no-text"],
)
def test_the_board_stays_the_same(
    name: str, change: Callable[[bytes], bytes], sound: Path, trusted_once: Trusted
) -> None:
    """What is accepted leaves every file of the board as it was, byte for byte."""
    root = sound.parent.parent
    before = board(root, trusted_once)
    data = (sound / name).read_bytes()
    (sound / name).write_bytes(change(data))

    assert (sound / name).read_bytes() != data
    assert board(root, trusted_once) == before
