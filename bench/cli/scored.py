"""Score stored attributions, print them, write scores and plots."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import RenderableType
from rich.text import Text

from bench.cli.console import write_out
from bench.cli.summary import ScoredTask, detail_tables, summary_table
from bench.cli.tables import mean_line
from bench.errors import ReferencePendingError
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.aggregate import mean_skill
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference, read_reference
from bench.results.report import Plain, pending_reason, plain_evaluation
from bench.results.scoring import TaskScores, score_record
from bench.results.store import write_atomically
from bench.results.targets import find_targets
from bench.scores.shares import shares
from bench.tasks.registry import suite_tasks
from bench.tasks.spec import Task

SCORES_FILE = "scores.json"


@dataclass(frozen=True)
class Scored:
    """What a command shows."""

    method: str
    suite: str | None
    tasks: Sequence[ScoredTask]
    failed: Mapping[str, str]
    """Task to what went wrong."""
    pending: Mapping[str, str]
    """Task without a reference to what can be done about it."""


def score_records(
    name: str,
    records: Sequence[tuple[Task, AttributionRecord]],
    *,
    root: Path,
    suite: str,
    complete: bool,
    failed: Mapping[str, str],
) -> Scored:
    """Score a method's attributions against the stored references.

    Args:
        name: The method.
        records: Its attributions.
        root: Folder with tasks and references.
        suite: The suite that the null which knows other tasks looks at.
        complete: Whether the records are those of the whole suite.
        failed: Task to what went wrong, for those that gave no attribution.

    Raises:
        FileFormatError: A reference cannot be read.
        DigestError: An attribution or a reference belongs to another task version.
    """
    scored, pending = score_tasks(records, root=root, suite=suite)
    return Scored(name, suite if complete else None, scored, failed, pending)


def score_tasks(
    records: Sequence[tuple[Task, AttributionRecord]], *, root: Path, suite: str
) -> tuple[list[ScoredTask], dict[str, str]]:
    """Score attributions; say of tasks without a reference what can be done.

    Raises:
        FileFormatError: A reference cannot be read.
        DigestError: An attribution or a reference belongs to another task version.
    """
    suite_references = dict(_stored_references(root, suite))
    scored: list[ScoredTask] = []
    pending: dict[str, str] = {}
    for task, record in records:
        try:
            reference = read_reference(task, root=root)
        except ReferencePendingError as error:
            pending[task.id] = str(error)
            continue
        others = [r for other, r in suite_references.items() if other != task.id]
        targets = find_targets(reference, others=others)
        scores = score_record(record, targets)
        scored.append(ScoredTask(task, record, reference, scores))
    return scored, pending


def _stored_references(root: Path, suite: str) -> Iterator[tuple[str, Reference]]:
    """Go through the references of a suite, pending ones left out."""
    for task in suite_tasks(suite, root=root):
        with suppress(ReferencePendingError):
            yield task.id, read_reference(task, root=root)


def write_scored(scored: Scored, *, out: Path) -> Plain:
    """Write ``scores.json`` and a plot for each task; return the scores as data."""
    document = plain_evaluation(
        method=scored.method,
        suite=scored.suite,
        scored=[(task.scores, task.record) for task in scored.tasks],
        failed=scored.failed,
        pending=scored.pending,
    )
    text = json.dumps(document, indent=2, allow_nan=False)
    write_atomically(out / SCORES_FILE, (text + "\n").encode())
    _write_plots(scored.tasks, out=out)
    return document


def print_scored(scored: Scored, *, out: Path, details: bool) -> None:
    """Print what a person wants to read.

    Args:
        scored: A method's scores.
        out: Where they were written.
        details: Show profiles as bars and every score, as for a single task.
    """
    write_out(Text(scored.method, style="bold"), *_parts(scored, details=details))
    typer.echo(f"Results, scores and plots are in {out}", err=True)


def _parts(scored: Scored, *, details: bool) -> Iterator[RenderableType]:
    """Say everything that a person wants to read, the mean last."""
    if details or len(scored.tasks) == 1:
        for task in scored.tasks:
            yield from detail_tables(task)
    if scored.tasks:
        yield summary_table(scored.tasks)
        yield ""
    yield from scored.pending.values()
    if scored.failed:
        yield f"Mean skill: undefined (failed on {', '.join(sorted(scored.failed))})."
    elif scored.pending:
        yield f"Mean skill: undefined ({pending_reason(scored.pending)})."
    else:
        yield mean_line(mean_skill([task.scores for task in scored.tasks]))


def _write_plots(tasks: Sequence[ScoredTask], *, out: Path) -> None:
    try:
        from bench.plots.attribution_plot import ProfilePanel, draw_attribution
    except ModuleNotFoundError:
        typer.echo("No plots: they need 'induction-bench[run]' (matplotlib).", err=True)
        return
    for scored in tasks:
        panels = {
            name: ProfilePanel(
                reference=shares(scored.reference.promptwise.profile(name)),
                caption=_caption(scored.scores, name),
            )
            for name in PROFILES
        }
        drawn = draw_attribution(
            scored.shares,
            panels,
            sections=scored.sections,
            title=f"{scored.record.method.name} on {scored.task.id}",
        )
        write_atomically(out / f"{scored.task.id}.png", drawn)


def _caption(scores: TaskScores, name: ProfileName) -> str:
    profile = scores.profiles[name]
    if profile.overlap.value is None:
        return f"undefined, {profile.overlap.undefined}"
    return (
        f"overlap {profile.overlap.value:.2f}, "
        f"best null {profile.yardstick.best_null[1]:.2f}, "
        f"ceiling {profile.yardstick.ceiling:.2f}"
    )
