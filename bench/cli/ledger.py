"""``bench ledger``: what happened to submissions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.board_entries import board_entry, standing_flags
from bench.cli.console import table, write_out
from bench.cli.lazy import plain_typer
from bench.cli.options import Json, Root, resolve_root, writable_root
from bench.cli.trusted import read_trusted
from bench.errors import FileFormatError, UnknownNameError, UserError
from bench.leaderboard.generate import SUITE
from bench.leaderboard.rows import Entry
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_submissions, read_withdrawals
from bench.submissions.happened import Present, Said, happened
from bench.submissions.ledger import (
    LEDGER,
    Event,
    LedgerLine,
    check_prefix,
    extend,
    plain_reason,
    read_ledger,
    write_ledger,
)
from bench.submissions.observed import corrections, said_of, verdicts, withdrawn
from bench.submissions.standing import Standings, replay

ledger = plain_typer(name="ledger", help="What happened to submissions, line by line.")

CommitOption = Annotated[
    str, typer.Option("--commit", help="The repository's commit, all its digits.")
]
DateOption = Annotated[
    str | None, typer.Option("--date", help="Day, UTC.", show_default="today")
]
SHOWN = 12
"""Digits of digests and commits in the terminal."""
SHA1, SHA256 = 40, 64
"""Digits of a commit, by the kind of git repository."""


@ledger.command()
def show(
    method: Annotated[
        str | None, typer.Argument(help="Only what happened to this one.")
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Print the ledger, or what happened to one submission."""
    lines = _read(resolve_root(root))
    known = {line.method for line in lines}
    if method is not None and method not in known:
        raise UnknownNameError("submission in the ledger", method, known)
    chosen = [line for line in lines if method in (None, line.method)]
    if as_json:
        print("[" + ",\n".join(line.text for line in chosen) + "]")
    elif chosen:
        _print(chosen)
    else:
        typer.echo("The ledger is empty.", err=True)


@ledger.command()
def check(
    against: Annotated[
        Path | None,
        typer.Option(help="An older copy, which this one has to begin with."),
    ] = None,
    root: Root = None,
) -> None:
    """Check that no line of the ledger was changed, removed or moved."""
    lines = _read(resolve_root(root))
    if against is not None:
        if not against.exists():
            raise FileFormatError(
                f"The older ledger '{against}' does not exist. Get it, for example: "
                f"git show main:{LEDGER.as_posix()} > {against}"
            )
        check_prefix(lines, read_ledger(against), file=against)
    typer.echo(f"The ledger is sound: {len(lines)} line(s).", err=True)


@ledger.command()
def update(commit: CommitOption, day: DateOption = None, root: Root = None) -> None:
    """Add what happened since the last update."""
    folder = writable_root(root)
    lines = _read(folder)
    trusted = read_trusted(folder)
    present, entries = _observe(folder, trusted)
    events = happened(replay(lines), present)
    # who was there first decides which of two clones is flagged
    order = (*lines, *events)
    found = standing_flags(entries, trusted, order)
    reasons = {name: [flag.text for flag in flags] for name, flags in found.items()}
    events += happened(replay(order), replace(present, flags=reasons))
    _append(folder, lines, events, day=day, commit=commit)


@ledger.command()
def clear(
    method: Annotated[str, typer.Argument(help="Whose flags to lift.")],
    reason: Annotated[str, typer.Option(help="Why they do not count.")],
    commit: CommitOption,
    day: DateOption = None,
    root: Root = None,
) -> None:
    """Lift the flags of a submission."""
    folder = writable_root(root)
    lines = _read(folder)
    digest = _flagged(replay(lines), method)
    given = plain_reason(reason)
    if not given or given != reason.strip():
        raise UserError(
            f"The reason is {reason!a}; expected one line of printable characters, "
            "500 at most."
        )
    lifted = Event(event="cleared", method=method, digest=digest, reason=given)
    _append(folder, lines, [lifted], day=day, commit=commit)


def _read(root: Path) -> tuple[LedgerLine, ...]:
    """Read the ledger of a repository, and follow it."""
    lines = read_ledger(root / LEDGER)
    replay(lines)
    return lines


def _flagged(standings: Standings, method: str) -> str:
    """Return the digest of a submission that has flags."""
    flagged = {name for name, found in standings.items() if found.live and found.flags}
    if method not in flagged:
        raise UnknownNameError("flagged submission", method, flagged)
    return standings[method].digest


def _observe(root: Path, trusted: Trusted) -> tuple[Present, list[Entry]]:
    """Look at everything that the ledger speaks of but flags, and return entries."""
    found: dict[str, Said] = {}
    entries: list[Entry] = []
    for submission in collect_submissions(root, trusted):
        manifest = submission.manifest
        suite = trusted.suite(manifest.suite.name)
        found[manifest.method.name] = said_of(manifest, suite)
        if manifest.suite.name == SUITE:
            records, scores = submission.records, submission.scores
            entries.append(board_entry(manifest, records, scores, trusted=trusted))
    present = Present(
        found,
        withdrawals=withdrawn(read_withdrawals(root)),
        verdicts=verdicts(root),
        corrections=corrections(root),
    )
    return present, entries


def _append(
    root: Path,
    lines: Sequence[LedgerLine],
    events: Sequence[Event],
    *,
    day: str | None,
    commit: str,
) -> None:
    """Add events to the ledger and print them."""
    digits = set("0123456789abcdef")
    if not set(commit) <= digits or len(commit) not in (SHA1, SHA256):
        raise UserError(
            f"The commit is {commit!a}; expected all of its {SHA1} digits, as git "
            "rev-parse HEAD prints them."
        )
    if not events:
        typer.echo("Nothing happened since the last update.", err=True)
        return
    extended = extend(lines, events, day=_day(day, lines), commit=commit)
    replay(extended)
    write_ledger(root / LEDGER, extended)
    _print(extended[len(lines) :])


def _day(given: str | None, lines: Sequence[LedgerLine]) -> str:
    """Return the day of new lines: not before the last one's, and not in the future."""
    today = datetime.now(UTC).date().isoformat()
    day = today if given is None else given
    try:
        parsed = date.fromisoformat(day).isoformat()
    except ValueError:
        parsed = ""
    earliest = lines[-1].date if lines else ""
    if parsed != day or not earliest <= day <= today:
        after = f" from {earliest}" if earliest else ""
        raise UserError(
            f"The date is {day!a}; expected a day{after} to today, {today} (UTC), as "
            "YYYY-MM-DD."
        )
    return day


def _print(lines: Sequence[LedgerLine]) -> None:
    shown = table("date", "event", "method", "digest", "commit", "reason")
    for line in lines:
        ids = (line.digest[:SHOWN], line.commit[:SHOWN])
        shown.add_row(line.date, line.event, line.method, *ids, line.reason)
    write_out(shown)
