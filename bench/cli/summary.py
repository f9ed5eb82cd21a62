"""What an evaluation comes to, a line for each task and profile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
from jaxtyping import Float
from rich.console import RenderableType
from rich.table import Table

from bench.cli.console import columns, sparkline, table
from bench.cli.tables import profile_table, scores_table, skill_text
from bench.profiles.promptwise import PROFILES
from bench.profiles.sections import section_names
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference
from bench.results.scoring import TaskScores
from bench.results.verdict import verdict
from bench.scores.shares import has_shares, shares
from bench.tasks.spec import Task


@dataclass(frozen=True)
class ScoredTask:
    """One task with everything that is shown of it."""

    task: Task
    record: AttributionRecord
    reference: Reference
    scores: TaskScores

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of the model's sections."""
        return section_names(self.task.spec.model.blocks)

    @property
    def shares(self) -> Float[np.ndarray, " S"] | None:
        """Shares of the attribution, if it has any."""
        values = self.record.writes.values
        return shares(values) if has_shares(values) else None


INTERVALS, VERDICTS, SPARKLINES = 100, 75, 50
"""Terminals with fewer columns leave these out; the skill is always there."""


def summary_table(tasks: Sequence[ScoredTask]) -> Table:
    """Show profiles over depth, skills, and what each attribution finds.

    The attribution stands above the profiles that it is compared with.
    """
    width = columns()
    kept = [True, width >= SPARKLINES, True, width >= VERDICTS]
    found = table(*compress(("", "over depth", "skill", "verdict"), kept))
    for scored in tasks:
        own = scored.record.writes.values
        head = (scored.task.id, "" if scored.shares is None else sparkline(own), "", "")
        found.add_row(*compress(head, kept))
        for name in PROFILES:
            target = scored.reference.promptwise.profile(name)
            cells = (
                f"  {name}",
                sparkline(target),
                skill_text(scored.scores.profiles[name], short=width < INTERVALS),
                verdict(own, target, sections=scored.sections),
            )
            found.add_row(*compress(cells, kept))
    return found


def detail_tables(scored: ScoredTask) -> Iterator[RenderableType]:
    """Show the profiles of a task with bars, and every score."""
    profiles = [
        (name, shares(scored.reference.promptwise.profile(name))) for name in PROFILES
    ]
    if scored.shares is not None:
        profiles = [(scored.record.method.name, scored.shares), *profiles]
    yield profile_table(scored.sections, profiles)
    yield ""
    yield scores_table(scored.scores)
    yield ""
