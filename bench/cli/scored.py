"""Score stored attributions, print them, write scores and plots."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from bench.cli.tables import mean_line, scores_table
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.profiles.sections import section_names
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference, read_reference
from bench.results.report import plain_evaluation
from bench.results.scoring import TaskScores, mean_skill, score_record
from bench.results.store import write_atomically
from bench.scores.shares import shares, why_undefined
from bench.tasks.registry import suite_tasks
from bench.tasks.spec import Task

SCORES_FILE = "scores.json"


@dataclass(frozen=True)
class ScoredTask:
    """One task with everything that is shown of it."""

    task: Task
    record: AttributionRecord
    reference: Reference
    scores: TaskScores


@dataclass(frozen=True)
class Scored:
    """What a command shows."""

    method: str
    suite: str | None
    tasks: Sequence[ScoredTask]
    failed: Mapping[str, str]
    """Task to what went wrong."""


def score_records(
    records: Sequence[tuple[Task, AttributionRecord]], *, root: Path, suite: str
) -> list[ScoredTask]:
    """Score attributions against the stored references.

    Raises:
        FileFormatError: A task has no reference.
        DigestError: An attribution or a reference belongs to another task version.
    """
    scored: list[ScoredTask] = []
    for task, record in records:
        reference = read_reference(task, root=root)
        others = _other_references(task, root=root, suite=suite)
        scores = score_record(record, reference, others=others)
        scored.append(ScoredTask(task, record, reference, scores))
    return scored


def _other_references(task: Task, *, root: Path, suite: str) -> list[Reference]:
    return [
        read_reference(other, root=root)
        for other in suite_tasks(suite, root=root)
        if other.id != task.id
    ]


def print_scored(scored: Scored, *, out: Path, as_json: bool) -> None:
    """Print a table or JSON, and write ``scores.json`` and a plot for each task."""
    document = plain_evaluation(
        method=scored.method,
        suite=scored.suite,
        scored=[(task.scores, task.record) for task in scored.tasks],
        failed=scored.failed,
    )
    text = json.dumps(document, indent=2, allow_nan=False)
    write_atomically(out / SCORES_FILE, (text + "\n").encode())
    _write_plots(scored.tasks, out=out)
    if as_json:
        print(text)
        return
    if scored.tasks:
        print(scores_table([task.scores for task in scored.tasks]))
        print()
        for task in scored.tasks:
            for name in PROFILES:
                reason = task.scores.profiles[name].skill.undefined
                if reason is not None:
                    print(f"{task.task.id}, {name}: undefined, {reason}.")
    if scored.failed:
        print(f"Mean skill: undefined (failed on {', '.join(sorted(scored.failed))}).")
    else:
        print(mean_line(mean_skill([task.scores for task in scored.tasks])))
    if scored.tasks:
        typer.echo(f"Results, scores and plots are in {out}", err=True)


def _write_plots(tasks: Sequence[ScoredTask], *, out: Path) -> None:
    try:
        from bench.plots.attribution_plot import ProfilePanel, draw_attribution
    except ImportError:
        typer.echo("No plots: they need 'induction-bench[run]' (matplotlib).", err=True)
        return
    for scored in tasks:
        values = scored.record.writes.values
        panels = {
            name: ProfilePanel(
                reference=shares(scored.reference.promptwise.profile(name)),
                caption=_caption(scored.scores, name),
            )
            for name in PROFILES
        }
        drawn = draw_attribution(
            None if why_undefined(values, values) else shares(values),
            panels,
            sections=section_names(scored.task.spec.model.blocks),
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
