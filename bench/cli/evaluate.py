"""``bench evaluate``: run a method, score it, show it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.display import progress_display
from bench.cli.options import (
    DEFAULT_SUITE,
    RESULTS,
    Device,
    Json,
    Root,
    Seed,
    Tasks,
    resolve_root,
)
from bench.cli.scored import print_scored, score_records
from bench.errors import MissingExtraError
from bench.tasks.registry import find_tasks, suite_tasks
from bench.tasks.spec import Task

if TYPE_CHECKING:
    from bench.evaluation.run import Outcome
    from bench.methods.discovery import FoundMethod


def evaluate(
    method: Annotated[
        str,
        typer.Argument(help="path.py[:name], module:name, an installed or a built-in."),
    ],
    suite: Annotated[str, typer.Option(help="Run all tasks of this suite.")] = (
        DEFAULT_SUITE
    ),
    task: Tasks = None,
    device: Device = "cpu",
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Results folder.", show_default="results/<method>"),
    ] = None,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run a method, score it, and draw its profiles.

    The same command continues after an interruption.
    """
    folder = resolve_root(root)
    tasks = _choose(task, suite=suite, root=folder)
    found = load_method(method)
    target = RESULTS / found.method.name if out is None else out
    outcomes = _run(found, tasks, device=device, seed=seed, out=target)
    failed = {o.task.id: str(o.error) for o in outcomes if o.error is not None}
    scored = score_records(
        found.method.name,
        [(o.task, o.record) for o in outcomes if o.record is not None],
        root=folder,
        suite=suite,
        complete=not task,
        failed=failed,
    )
    print_scored(scored, out=target, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _choose(names: list[str] | None, *, suite: str, root: Path) -> tuple[Task, ...]:
    if names:
        return find_tasks(names, root=root)
    return suite_tasks(suite, root=root)


def load_method(name: str) -> "FoundMethod":
    """Find a method; needs the part of the installation that runs models.

    Raises:
        MissingExtraError: torch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("torch", extra="run")
    from bench.methods.discovery import find_method

    return find_method(name)


def _run(
    found: "FoundMethod",
    tasks: tuple[Task, ...],
    *,
    device: str,
    seed: int,
    out: Path,
) -> "list[Outcome]":
    from bench.evaluation.run import Settings, run_tasks

    with progress_display() as titled:
        outcomes = run_tasks(
            found,
            tasks,
            Settings(device=device, seed=seed),
            out=out,
            announce=lambda task: titled(task.id),
        )
    for outcome in outcomes:
        if outcome.error is not None:
            typer.echo(f"{outcome.task.id}: {outcome.error}", err=True)
        elif outcome.resumed:
            typer.echo(f"{outcome.task.id}: kept the stored result", err=True)
    return outcomes
