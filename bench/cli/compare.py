"""``bench compare``: two methods on the tasks that both were run on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from bench.cli.console import sparkline, table, write_out
from bench.cli.options import DEFAULT_SUITE, RESULTS, Json, Root, resolve_root
from bench.cli.score import read_results
from bench.cli.scored import SCORES_FILE, score_records
from bench.cli.summary import ScoredTask
from bench.cli.tables import skill_text
from bench.errors import UnknownNameError, UserError
from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord, read_attribution
from bench.results.comparison import Comparison, compare_scores
from bench.results.report import plain_interval, plain_number
from bench.results.wording import interval, number, signed
from bench.submissions.manifest import FOLDER, MANIFEST
from bench.tasks.registry import find_task
from bench.tasks.spec import Task

Records = Mapping[str, tuple[Task, AttributionRecord]]
"""Task to the task and what was stored of it."""
Names = tuple[str, str]


def compare(
    first: Annotated[
        str,
        typer.Argument(help="A method in results or submissions, or a folder of one."),
    ],
    second: Annotated[str, typer.Argument(help="Another one.")],
    suite: Annotated[str, typer.Option(help="Suite the nulls come from.")] = (
        DEFAULT_SUITE
    ),
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Say where two methods differ, and how surely.

    A method's own results come before its submission.
    """
    folder = resolve_root(root)
    found = [_read(name, root=folder) for name in (first, second)]
    shared = [task for task in found[0] if task in found[1]]
    if not shared:
        raise UserError(
            f"'{first}' and '{second}' have no task in common: the first was run on "
            f"{', '.join(found[0])}, the second on {', '.join(found[1])}."
        )
    left_out = sorted(set(found[0]) ^ set(found[1]))
    if left_out:
        typer.echo(f"Left out, run by one alone: {', '.join(left_out)}", err=True)
    scored = [_score(records, shared, suite=suite, root=folder) for records in found]
    names = (scored[0][0].record.method.name, scored[1][0].record.method.name)
    result = compare_scores(*([task.scores for task in tasks] for tasks in scored))
    if as_json:
        print(json.dumps(_plain(names, shared, result), indent=2))
    else:
        write_out(_table(names, scored), "", *_sentences(names, result))


def _read(name: str, *, root: Path) -> Records:
    """Read what is stored of a method.

    Raises:
        UnknownNameError: Nothing is.
    """
    places = [Path(name), RESULTS / name, root / FOLDER / name]
    place = next((place for place in places if place.is_dir()), None)
    if place is None:
        files = [
            *RESULTS.glob(f"*/{SCORES_FILE}"),
            *root.glob(f"{FOLDER}/*/{MANIFEST}"),
        ]
        raise UnknownNameError("stored method", name, {f.parent.name for f in files})
    if not (place / MANIFEST).is_file():
        return {task.id: (task, record) for task, record in read_results(place, root)}
    files = sorted(f for f in place.glob("*.json") if f.name != MANIFEST)
    records = [read_attribution(file) for file in files]
    return {r.task.id: (find_task(r.task.id, root=root), r) for r in records}


def _score(
    records: Records, tasks: Sequence[str], *, suite: str, root: Path
) -> Sequence[ScoredTask]:
    """Score a method on some tasks.

    Raises:
        UserError: One of them has no reference.
    """
    scored = score_records(
        "",
        [records[task] for task in tasks],
        root=root,
        suite=suite,
        complete=False,
        failed={},
    )
    if scored.pending:
        raise UserError("\n".join(scored.pending.values()))
    return scored.tasks


def _table(names: Names, scored: Sequence[Sequence[ScoredTask]]) -> Table:
    """Show both attributions above the profiles that they are compared with."""
    found = table("", "over depth", *names, "difference")
    for one, other in zip(*scored, strict=True):
        found.add_row(one.task.id)
        for name, task in zip(names, (one, other), strict=True):
            own = task.record.writes.values
            found.add_row(f"  {name}", "" if task.shares is None else sparkline(own))
        for name in PROFILES:
            target = one.reference.promptwise.profile(name)
            skills = [task.scores.profiles[name] for task in (one, other)]
            cells = [skill_text(scores, short=True) for scores in skills]
            values = [scores.skill.value for scores in skills]
            gap = None if None in values else (values[0] or 0.0) - (values[1] or 0.0)
            found.add_row(f"  {name}", sparkline(target), *cells, signed(gap))
    return found


def _sentences(names: Names, result: Comparison | None) -> Iterator[RenderableType]:
    if result is None:
        yield "The mean skill of one of them is undefined; bench score says why."
        return
    ahead = names[0] if result.difference > 0 else names[1]
    means = [number(mean.score.value) for mean in result.means]
    yield (
        f"Mean skill: {names[0]} {means[0]}, {names[1]} {means[1]}, difference "
        f"{signed(result.difference)}."
    )
    n_tasks = len(result.means[0].by_task)
    told = f"{ahead} is ahead" if result.apart else "these tasks cannot tell them apart"
    yield (
        f"With other tasks {interval(result.interval) or 'n/a'}, p = "
        f"{result.chance:.3f} by sign flips on {n_tasks}: {told}."
    )
    told = f"{ahead} is ahead" if result.apart_here else "nobody is ahead"
    spread = interval(result.prompt_interval)
    yield f"With other prompts of these tasks {spread}: {told}."


def _plain(
    names: Names, tasks: Sequence[str], result: Comparison | None
) -> dict[str, object]:
    document: dict[str, object] = {"methods": list(names), "tasks": list(tasks)}
    if result is None:
        return {**document, "difference": None}
    return {
        **document,
        "mean_skills": [plain_number(m.score.value) for m in result.means],
        "difference": plain_number(result.difference),
        "interval": plain_interval(result.interval),
        "p_value": plain_number(result.chance),
        "apart": result.apart,
        "prompt_interval": plain_interval(result.prompt_interval),
        "apart_here": result.apart_here,
    }
