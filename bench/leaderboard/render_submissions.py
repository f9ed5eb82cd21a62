"""The part of ``leaderboard.md`` about what others submitted."""

from collections.abc import Iterator

from bench.leaderboard.document import Board, BoardFresh, BoardRow
from bench.leaderboard.markdown import escape, table
from bench.results.wording import interval, number

SHOWN = 12
"""Digits of a commit."""


def submission_parts(board: Board) -> Iterator[str]:
    """Say where each submission stands, and why it is not ranked if it is not."""
    rows = [row for row in board.rows if row.kind == "submission"]
    if rows:
        yield "## Submissions"
        yield (
            "**fresh**: mean skill on circuits planted from the commit, after the "
            "method was submitted. `bench reproduce submissions/METHOD --commit SHA` "
            "plants the same ones."
        )
        yield table([_cells(row) for row in rows])
    if board.withdrawn:
        yield "Withdrawn:"
        yield "\n".join(
            f"- **{escape(found.method)}**: {escape(found.reason)}"
            for found in board.withdrawn
        )


def _cells(row: BoardRow) -> dict[str, str]:
    fresh = row.fresh
    cells = {
        "method": row.method,
        "tier": row.tier,
        "fresh": "" if fresh is None else _skill(fresh),
        "commit": "" if fresh is None else fresh.commit[:SHOWN],
        "why not ranked": "; ".join(row.notes),
    }
    return {key: escape(text) for key, text in cells.items()}


def _skill(fresh: BoardFresh) -> str:
    found = f"{number(fresh.skill)} {interval(fresh.interval)}".strip()
    return f"{found} on {fresh.circuits}"
