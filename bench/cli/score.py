"""``bench score``: score stored attributions again."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import DEFAULT_SUITE, Json, Root, resolve_root
from bench.cli.scored import Scored, print_scored, score_records
from bench.errors import FileFormatError
from bench.results.attribution_record import AttributionRecord, read_attribution
from bench.tasks.registry import find_task
from bench.tasks.spec import Task


def score(
    results: Annotated[Path, typer.Argument(help="Folder that bench evaluate wrote.")],
    suite: Annotated[str, typer.Option(help="Suite the nulls come from.")] = (
        DEFAULT_SUITE
    ),
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Score stored attributions again; runs no model."""
    folder = resolve_root(root)
    records = _read(results, root=folder)
    scored = score_records(records, root=folder, suite=suite)
    name = records[0][1].method.name
    print_scored(Scored(name, suite, scored, {}), out=results, as_json=as_json)


def _read(results: Path, *, root: Path) -> list[tuple[Task, AttributionRecord]]:
    files = sorted(results.glob("*/*.json"))
    if not files:
        raise FileFormatError(
            f"'{results}' holds no results (<family>/<task>.json). Make some with: "
            "bench evaluate METHOD"
        )
    records = [read_attribution(file) for file in files]
    return [(find_task(record.task.id, root=root), record) for record in records]
