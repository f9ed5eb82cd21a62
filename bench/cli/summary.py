"""What an evaluation comes to, a line for each task and profile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rich.console import RenderableType
from rich.table import Table

from bench.cli.console import is_narrow, sparkline, table
from bench.cli.tables import profile_table, scores_table, skill_text
from bench.profiles.promptwise import PROFILES
from bench.profiles.sections import section_names
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference
from bench.results.scoring import TaskScores
from bench.results.verdict import verdict
from bench.scores.shares import shares, why_undefined
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
        return None if why_undefined(values, values) else shares(values)


def summary_table(tasks: Sequence[ScoredTask]) -> Table:
    """Show profiles over depth, skills, and what each attribution finds.

    The attribution stands above the profiles that it is compared with.
    """
    found = table("", "over depth", "skill", "verdict", last_wraps=True)
    short = is_narrow()
    for scored in tasks:
        own = scored.record.writes.values
        found.add_row(scored.task.id, "" if scored.shares is None else sparkline(own))
        for name in PROFILES:
            target = scored.reference.promptwise.profile(name)
            found.add_row(
                f"  {name}",
                sparkline(target),
                skill_text(scored.scores.profiles[name], short=short),
                verdict(own, target, sections=scored.sections),
            )
    return found


def detail_tables(scored: ScoredTask) -> Iterator[RenderableType]:
    """Show the profiles of a task with bars, and every score."""
    columns = {
        name: shares(scored.reference.promptwise.profile(name)) for name in PROFILES
    }
    if scored.shares is not None:
        columns = {scored.record.method.name: scored.shares, **columns}
    yield profile_table(scored.sections, columns)
    yield ""
    yield scores_table(scored.scores)
    yield ""
