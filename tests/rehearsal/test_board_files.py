"""What leaves one job and enters the next: the files that are taken."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TAKE = ROOT / ".github" / "take-board.sh"


def take(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        [TAKE, source, target], capture_output=True, text=True, check=False
    )


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """What the job before hands over."""
    folder = tmp_path / "board"
    for name in (
        "leaderboard.md",
        "docs/findings.md",
        "records/ledger.jsonl",
        "records/reproductions/my-method.json",
        "records/errata/0001.json",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"new {name}\n")
    return folder


def test_the_files_of_a_board_are_taken(board: Path, tmp_path: Path) -> None:
    """All five kinds arrive where they belong."""
    target = tmp_path / "main"
    target.mkdir()
    assert take(board, target).returncode == 0
    names = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert names == {str(p.relative_to(board)) for p in board.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    "name",
    [".github/workflows/tests.yml", "bench/api.py", "records/x.json", "Makefile"],
)
def test_nothing_else_is_taken(board: Path, tmp_path: Path, name: str) -> None:
    """Whatever else the job before hands over stays outside."""
    (board / name).parent.mkdir(parents=True, exist_ok=True)
    (board / name).write_text("attack\n")
    target = tmp_path / "main"
    target.mkdir()
    assert take(board, target).returncode == 0
    assert not (target / name).exists()


def test_links_are_refused(board: Path, tmp_path: Path) -> None:
    """A link could bring a file of the machine, or lead out of the checkout."""
    (board / "leaderboard.json").symlink_to("/etc/passwd")
    done = take(board, tmp_path)
    assert done.returncode == 1
    assert re.search("regular files only; found: .*leaderboard.json", done.stderr)


def test_odd_names_of_records_are_refused(board: Path, tmp_path: Path) -> None:
    """Records are named by methods."""
    (board / "records" / "reproductions" / "A b.json").write_text("{}")
    done = take(board, tmp_path)
    assert done.returncode == 1
    assert "no record has this name: " in done.stderr


@pytest.mark.parametrize("old", ["another line\n", "new records/ledger.jsonl\nmore\n"])
def test_a_ledger_that_lost_a_line_is_refused(
    board: Path, tmp_path: Path, old: str
) -> None:
    """The ledger of main has to be the beginning of the new one."""
    target = tmp_path / "main"
    (target / "records").mkdir(parents=True)
    (target / "records" / "ledger.jsonl").write_text(old)
    done = take(board, target)
    assert done.returncode == 1
    assert "does not begin with the ledger of main" in done.stderr
    assert (target / "records" / "ledger.jsonl").read_text() == old


def test_a_ledger_that_grew_is_taken(board: Path, tmp_path: Path) -> None:
    """Lines are added at the end."""
    (tmp_path / "main" / "records").mkdir(parents=True)
    (tmp_path / "main" / "records" / "ledger.jsonl").write_text("new records")
    assert take(board, tmp_path / "main").returncode == 0
