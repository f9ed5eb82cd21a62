"""The row that a submission would have, before it is merged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.leaderboard.build import plain_row
from bench.leaderboard.document import BoardRow
from bench.leaderboard.flags import Flag, find_flags
from bench.leaderboard.markdown import escape, table
from bench.leaderboard.ranking import rank_rows
from bench.leaderboard.render import rank
from bench.leaderboard.rows import Entry, collect_rows
from bench.profiles.promptwise import PROFILES
from bench.results.trusted import Trusted
from bench.results.wording import interval, number


@dataclass(frozen=True)
class Preview:
    """A submission among those that are there."""

    row: BoardRow
    """With the ranks that it gets if it is reproduced."""
    flags: tuple[Flag, ...]


def preview_entry(
    entry: Entry, others: Sequence[Entry], trusted: Trusted, *, suite: str
) -> Preview:
    """Rank a submission as if it had been reproduced, and look for flags.

    Args:
        entry: The submission.
        others: All others; an older one of the same name is replaced.
        trusted: The repository's tasks and references.
        suite: The leaderboard's.
    """
    name = entry.method.name
    older = [other for other in others if other.method.name != name]
    # with all others before it, it is the newcomer that is a clone
    order = [other.method.name for other in older]
    flags = find_flags([*older, entry], trusted, suite=suite, order=order)
    rows = collect_rows([*older, entry], trusted, suite=suite)
    hopeful = [
        replace(row, tier="reproduced")
        if row.method == name and row.kind == "submission"
        else row
        for row in rows
    ]
    ranked = next(found for found in rank_rows(hopeful) if found.row.method == name)
    row = BoardRow.model_validate(plain_row(ranked), strict=False)
    return Preview(row, flags.get(name, ()))


def render_preview(preview: Preview) -> str:
    """Write the row, and what has to be looked at, as Markdown."""
    row = preview.row
    cells = {
        "method": row.method,
        "skill": f"{number(row.mean_skill)} {interval(row.interval)}".strip(),
        **{name: number(row.profiles[name].skill) for name in PROFILES},
        "tasks": f"{row.tasks_done}/{row.tasks_total}",
        "rank, if reproduced": rank(row.rank_interval) or "not ranked",
        "here": rank(row.prompt_rank_interval),
    }
    lines = [table([{key: escape(text) for key, text in cells.items()}])]
    if row.undefined is not None:
        lines.append(f"No mean skill: {escape(row.undefined)}.")
    lines.extend(f"Flagged: {escape(flag.text)}." for flag in preview.flags)
    return "\n\n".join(lines) + "\n"
