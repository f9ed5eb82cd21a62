"""Generate the leaderboard of a suite: rank, render, write, check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import FileFormatError
from bench.leaderboard.build import build_board
from bench.leaderboard.document import Board
from bench.leaderboard.ranking import rank_rows
from bench.leaderboard.render import render_markdown
from bench.leaderboard.rows import Entry, Row, collect_rows
from bench.leaderboard.sheet import render_csv
from bench.results.erratum_record import Erratum
from bench.results.store import write_atomically
from bench.results.trusted import Trusted

SUITE = "core"
FILES: tuple[str, ...] = ("leaderboard.md", "leaderboard.json", "leaderboard.csv")


@dataclass(frozen=True)
class Leaderboard:
    """The leaderboard as data, and the files that show it."""

    board: Board
    rows: tuple[Row, ...]
    """What the board was made of, in its order."""
    files: dict[str, str]
    """File name to content."""


def generate(
    entries: Sequence[Entry],
    trusted: Trusted,
    *,
    errata: Sequence[Erratum] = (),
    withdrawn: Mapping[str, str] | None = None,
) -> Leaderboard:
    """Rank and render entries together with the nulls.

    Args:
        entries: The methods.
        trusted: The repository's tasks and references.
        errata: What was corrected, from the first to the last.
        withdrawn: Method to the reason why it was withdrawn.

    Raises:
        UnknownNameError: There is no such suite.
        ReferencePendingError: A task of it has no reference.
    """
    trusted.suite(SUITE)
    rows = rank_rows(collect_rows(entries, trusted, suite=SUITE))
    board = build_board(rows, name=SUITE, trusted=trusted, withdrawn=withdrawn or {})
    made = Leaderboard(board, tuple(found.row for found in rows), {})
    return with_errata(made, errata)


def with_errata(leaderboard: Leaderboard, errata: Sequence[Erratum]) -> Leaderboard:
    """Show errata on a leaderboard."""
    board = leaderboard.board.model_copy(update={"errata": tuple(errata)})
    contents = (render_markdown(board), _json(board), render_csv(board))
    files = dict(zip(FILES, contents, strict=True))
    return replace(leaderboard, board=board, files=files)


def _json(board: Board) -> str:
    return board.model_dump_json(indent=2) + "\n"


def write_leaderboard(leaderboard: Leaderboard, *, root: Path) -> None:
    """Write the files.

    Raises:
        NoRoomError: A file could not be written.
    """
    for name, text in leaderboard.files.items():
        write_atomically(root / name, text.encode())


def check_leaderboard(leaderboard: Leaderboard, *, root: Path) -> None:
    """Compare the files with what they should be, byte for byte.

    Raises:
        FileFormatError: A file is missing or stale.
    """
    stale = [
        name
        for name, text in leaderboard.files.items()
        if not (root / name).is_file() or (root / name).read_bytes() != text.encode()
    ]
    if stale:
        raise FileFormatError(
            f"{' and '.join(stale)} do not show the present submissions and "
            "references. Write them anew with: bench leaderboard"
        )
