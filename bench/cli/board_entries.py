"""What the leaderboard is made of: submissions, and what is recorded about them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bench.leaderboard.flags import Flag, find_flags
from bench.leaderboard.generate import SUITE
from bench.leaderboard.rows import Entry
from bench.results.attribution_record import AttributionRecord
from bench.results.reproduction_record import (
    ReproductionRecord,
    find_reproduction,
)
from bench.results.scoring import TaskScores
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_submissions
from bench.submissions.ledger import LEDGER, Event, plain_reason, read_ledger
from bench.submissions.manifest import Manifest
from bench.submissions.standing import Standings, replay


def leaderboard_entries(root: Path, trusted: Trusted) -> list[Entry]:
    """Turn the submissions to the leaderboard's suite into its entries.

    Raises:
        InvalidSubmissionError: A submission has problems.
        FileFormatError: The ledger or a reproduction's record cannot be read.
    """
    entries = [
        board_entry(
            found.manifest,
            found.records,
            found.scores,
            trusted=trusted,
            reproduction=find_reproduction(
                root, found.manifest.method.name, found.manifest.digest
            ),
        )
        for found in collect_submissions(root, trusted)
        if found.manifest.suite.name == SUITE
    ]
    lines = read_ledger(root / LEDGER)
    flags = standing_flags(entries, trusted, lines)
    texts = {n: tuple(flag.text for flag in found) for n, found in flags.items()}
    return [replace(e, flags=texts.get(e.method.name, ())) for e in entries]


def board_entry(
    manifest: Manifest,
    records: Mapping[str, AttributionRecord],
    scores: Mapping[str, TaskScores],
    *,
    trusted: Trusted,
    reproduction: ReproductionRecord | None = None,
) -> Entry:
    """Keep of a submission what the board shows: single prompts are scored by now."""
    done = [task for task in trusted.suite(SUITE).tasks if task in records]
    slim = {"per_prompt": None}
    return Entry(
        method=manifest.method,
        records=tuple(records[task].model_copy(update=slim) for task in done),
        scores=tuple(scores[task] for task in done),
        incomplete=manifest.incomplete,
        digest=manifest.digest,
        has_code=manifest.code is not None,
        reproduction=reproduction,
    )


def standing_flags(
    entries: Iterable[Entry], trusted: Trusted, lines: Iterable[Event]
) -> dict[str, tuple[Flag, ...]]:
    """Find the flags of submissions, but for those that a maintainer cleared.

    Args:
        entries: All entries.
        trusted: The repository's references.
        lines: The ledger, which also says who was there first.
    """
    events = tuple(lines)
    # what was replaced is as young as its replacement: nobody keeps a place for a copy
    made = ("added", "replaced")
    order = tuple(line.method for line in events if line.event in made)
    found = find_flags(tuple(entries), trusted, suite=SUITE, order=order)
    standings = replay(events)
    kept = {name: _uncleared(name, flags, standings) for name, flags in found.items()}
    return {name: flags for name, flags in kept.items() if flags}


def _uncleared(
    name: str, flags: Iterable[Flag], standings: Standings
) -> tuple[Flag, ...]:
    standing = standings.get(name)
    cleared = frozenset[str]() if standing is None else standing.cleared
    return tuple(flag for flag in flags if plain_reason(flag.text) not in cleared)
