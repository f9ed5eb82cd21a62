"""``bench list``: what there is."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from bench.cli.options import Json, Root, resolve_root
from bench.methods.catalogue import built_in
from bench.results.reference_record import is_measured
from bench.tasks.registry import find_task, read_suites, task_files


class What(StrEnum):
    """What can be listed."""

    TASKS = "tasks"
    METHODS = "methods"
    SUITES = "suites"


def list_things(
    what: Annotated[What, typer.Argument(help="What to list.")],
    as_json: Json = False,
    root: Root = None,
) -> None:
    """List tasks, built-in methods or suites."""
    folder = resolve_root(root)
    rows = {What.TASKS: _tasks, What.METHODS: _methods, What.SUITES: _suites}[what](
        folder
    )
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        print(tabulate(rows, headers="keys", disable_numparse=True))


def _tasks(root: Path) -> list[dict[str, object]]:
    tasks = [find_task(name, root=root) for name in task_files(root)]
    return [
        {
            "task": task.id,
            "version": task.spec.version,
            "sections": task.n_sections,
            "reference": "stored" if is_measured(task, root=root) else "pending",
            "summary": task.spec.summary,
        }
        for task in tasks
    ]


def _methods(_root: Path) -> list[dict[str, object]]:
    return [
        {
            "method": entry.name,
            "kind": entry.kind,
            "cost": entry.cost,
            "oracle": "oracle" if entry.oracle else "",
            "summary": entry.summary,
        }
        for entry in built_in().values()
    ]


def _suites(root: Path) -> list[dict[str, object]]:
    return [
        {
            "suite": name,
            "version": suite.version,
            "tasks": ", ".join(suite.tasks),
            "summary": suite.summary,
        }
        for name, suite in read_suites(root).items()
    ]
