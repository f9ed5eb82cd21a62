"""``bench compare``: two methods on the tasks that both were run on."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from bench.cli.console import columns, sparkline, table, write_out
from bench.cli.options import DEFAULT_SUITE, RESULTS, Json, Root, resolve_root
from bench.cli.score import one_method, read_results
from bench.cli.scored import score_tasks
from bench.cli.summary import INTERVALS, ScoredTask
from bench.cli.tables import skill_text
from bench.errors import UnknownNameError, UserError
from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord, read_attribution
from bench.results.comparison import Comparison, compare_scores
from bench.results.report import plain_interval, plain_number
from bench.results.wording import interval, number, signed
from bench.submissions.manifest import FOLDER, MANIFEST
from bench.tasks.registry import find_task
from bench.tasks.spec import SLUG, Task

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
    names = _labels(first, second, scored)
    result = compare_scores(*([task.scores for task in tasks] for tasks in scored))
    if as_json:
        print(json.dumps(_plain(names, shared, result), indent=2))
    else:
        write_out(_table(names, scored), "", *_sentences(names, result))


def _labels(
    first: str, second: str, scored: Sequence[Sequence[ScoredTask]]
) -> tuple[str, str]:
    """Call each by its name, or as the user did where both have one name."""
    one, other = (tasks[0].record.method.name for tasks in scored)
    return (one, other) if one != other else (first, second)


def _read(name: str, *, root: Path) -> Records:
    """Read what is stored of a method, by its name or from a folder.

    Raises:
        UnknownNameError: Nothing is.
        UserError: The folder holds results of several methods.
    """
    named = re.fullmatch(SLUG, name) is not None
    places = [RESULTS / name, root / FOLDER / name] if named else [Path(name)]
    place = next((place for place in places if _is_stored(place)), None)
    if place is None:
        folders = [*RESULTS.glob("*"), *(root / FOLDER).glob("*")]
        known = {path.name for path in folders if _is_stored(path)}
        raise UnknownNameError("stored method", name, known)
    if not (place / MANIFEST).is_file():
        found = read_results(place, root)
    else:
        files = sorted(f for f in place.glob("*.json") if f.name != MANIFEST)
        records = [read_attribution(file) for file in files]
        found = [(find_task(r.task.id, root=root), r) for r in records]
    one_method(found, place)
    return {task.id: (task, record) for task, record in found}


def _is_stored(place: Path) -> bool:
    """Whether a folder holds results or a submission."""
    with suppress(OSError):  # names may be too long
        return (place / MANIFEST).is_file() or any(place.glob("*/*.json"))
    return False


def _score(
    records: Records, tasks: Sequence[str], *, suite: str, root: Path
) -> Sequence[ScoredTask]:
    """Score a method on some tasks.

    Raises:
        UserError: One of them has no reference.
    """
    chosen = [records[task] for task in tasks]
    scored, pending = score_tasks(chosen, root=root, suite=suite)
    if pending:
        raise UserError("\n".join(pending.values()))
    return scored


def _table(names: Names, scored: Sequence[Sequence[ScoredTask]]) -> Table:
    """Show both attributions above the profiles that they are compared with."""
    wide = columns() >= INTERVALS
    # on a narrow terminal numbers matter more than names, which stand on the left
    heads = (*(["over depth", *names] if wide else ["first", "second"]), "difference")
    found = table("", *heads)
    for one, other in zip(*scored, strict=True):
        found.add_row(one.task.id)
        for name, task in zip(names, (one, other), strict=True):
            own = task.record.writes.values
            drawn = "" if task.shares is None else sparkline(own)
            found.add_row(f"  {name}", *([drawn] if wide else []))
        for name in PROFILES:
            target = one.reference.promptwise.profile(name)
            skills = [task.scores.profiles[name] for task in (one, other)]
            cells = [skill_text(scores, short=True) for scores in skills]
            values = [scores.skill.value for scores in skills]
            gap = None if None in values else (values[0] or 0.0) - (values[1] or 0.0)
            drawn = [sparkline(target)] if wide else []
            found.add_row(f"  {name}", *drawn, *cells, signed(gap))
    return found


def _sentences(
    names: Names, result: Comparison | list[str]
) -> Iterator[RenderableType]:
    if isinstance(result, list):
        yield f"No difference of mean skills: undefined ({'; '.join(result)})."
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
    names: Names, tasks: Sequence[str], result: Comparison | list[str]
) -> dict[str, object]:
    undefined = isinstance(result, list)
    return {
        "methods": list(names),
        "tasks": list(tasks),
        "undefined": result if undefined else [],
        "mean_skills": None
        if undefined
        else [plain_number(mean.score.value) for mean in result.means],
        "difference": None if undefined else plain_number(result.difference),
        "interval": None if undefined else plain_interval(result.interval),
        "p_value": None if undefined else plain_number(result.chance),
        "apart": None if undefined else result.apart,
        "prompt_interval": None
        if undefined
        else plain_interval(result.prompt_interval),
        "apart_here": None if undefined else result.apart_here,
    }
