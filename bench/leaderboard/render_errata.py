"""The section of ``leaderboard.md`` that says what was corrected."""

from collections.abc import Iterator, Sequence

from bench.leaderboard.markdown import escape, table
from bench.results.erratum_record import Erratum, ErratumRow, describe_change


def errata_parts(errata: Sequence[Erratum]) -> Iterator[str]:
    """Show what was corrected, the latest first, and the mean skills that it moved."""
    if errata:
        yield "## Errata"
        yield "Stored attributions are scored again after a correction, never edited."
    for number, erratum in reversed(list(enumerate(errata, start=1))):
        change = describe_change(erratum.before, erratum.after)
        yield f"**{number:04}** ({escape(change)}): {escape(erratum.reason)}"
        if erratum.rows:
            yield table([_cells(row) for row in erratum.rows])
        else:
            yield "No number on the leaderboard moved."


def _cells(row: ErratumRow) -> dict[str, str]:
    return {
        "method": escape(row.method),
        "skill before": _skill(row.before),
        "after": _skill(row.after),
    }


def _skill(value: float | None) -> str:
    """Print a skill with all decimals that are stored: corrections can be small."""
    # + 0.0 turns -0.0 into 0.0
    return "n/a" if value is None else f"{value + 0.0:.6f}"
