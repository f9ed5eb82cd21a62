"""``bench score``: score stored attributions again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DEFAULT_SUITE, Details, Json, Root, resolve_root
from bench.cli.scored import print_scored, score_records, write_scored
from bench.errors import FileFormatError, UserError
from bench.results.attribution_record import AttributionRecord, read_attribution
from bench.tasks.registry import find_suite, find_task, find_tasks
from bench.tasks.spec import Task


def score(
    results: Annotated[Path, typer.Argument(help="Folder that bench evaluate wrote.")],
    suite: Annotated[str, typer.Option(help="Suite the nulls come from.")] = (
        DEFAULT_SUITE
    ),
    task: Annotated[
        list[str] | None,
        typer.Option(help="A task.toml from outside the repository; repeatable."),
    ] = None,
    details: Details = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Score stored attributions again; runs no model."""
    folder = resolve_root(root)
    brought = {found.id: found for found in find_tasks(task or [], root=folder)}
    records = read_results(results, folder, brought=brought)
    tasks = {of.id for of, _ in records}
    scored = score_records(
        one_method(records, results),
        records,
        root=folder,
        suite=suite,
        complete=tasks >= set(find_suite(suite, root=folder).tasks),
        failed={},
    )
    document = write_scored(scored, out=results)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        print_scored(scored, out=results, details=details)


def one_method(records: list[tuple[Task, AttributionRecord]], results: Path) -> str:
    """Return the name of the one method whose results a folder holds."""
    names = sorted({record.method.name for _, record in records})
    if len(names) > 1:
        raise UserError(
            f"'{results}' holds results of {len(names)} methods ({', '.join(names)}); "
            "expected one. Keep each method's results in a folder of its own."
        )
    return names[0]


def read_results(
    results: Path, root: Path, *, brought: Mapping[str, Task] | None = None
) -> list[tuple[Task, AttributionRecord]]:
    """Read the attributions that ``bench evaluate`` wrote to a folder.

    Args:
        results: The folder.
        root: Folder with the repository's tasks.
        brought: Tasks from outside the repository by name.

    Raises:
        FileFormatError: The folder holds none, or one cannot be read.
        UnknownNameError: One is of a task that is not there.
    """
    outside = brought or {}
    files = sorted(results.glob("*/*.json"))
    if not files:
        raise FileFormatError(
            f"'{results}' holds no results (<family>/<task>.json). Make some with: "
            "bench evaluate METHOD"
        )
    records = [read_attribution(file) for file in files]
    return [
        (outside.get(record.task.id) or find_task(record.task.id, root=root), record)
        for record in records
    ]
