"""``bench evaluate``: run methods, score them, show them."""

import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.display import progress_display
from bench.cli.executors import Name, Wish, choose_executor
from bench.cli.options import (
    DEFAULT_SUITE,
    RESULTS,
    CacheFolder,
    Details,
    Device,
    Json,
    Root,
    Seed,
    Tasks,
    resolve_cache,
    resolve_root,
)
from bench.cli.scored import Scored, print_scored, score_records, write_scored
from bench.cli.trusted import built_in_names
from bench.errors import MethodError, MissingExtraError, UserError
from bench.methods.catalogue import built_in
from bench.results.provenance import FLOAT32, DType
from bench.results.report import Plain
from bench.tasks.registry import find_tasks, suite_tasks
from bench.tasks.spec import Task

if TYPE_CHECKING:
    from bench.evaluation.run import Outcome, Plan, Settings
    from bench.methods.discovery import FoundMethod


ExecutorName = Annotated[
    Name,
    typer.Option(help="One after the other here, in processes, or on a Ray cluster."),
]
MethodDType = Annotated[
    DType,
    typer.Option(help="Of matrix products; submissions are in float32."),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Units at once: processes, or a Ray's on this machine."),
]
Timeout = Annotated[
    float | None,
    typer.Option(min=0.001, help="Seconds for a method on a task, then it is stopped."),
]
RayAddress = Annotated[
    str | None, typer.Option(help="Of a Ray cluster that is there, as in auto.")
]


def evaluate(
    methods: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="METHOD...",
            help="path.py[:name], module:name, an installed or a built-in.",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--built-in", help="Every built-in method as well.")
    ] = False,
    suite: Annotated[str, typer.Option(help="Run all tasks of this suite.")] = (
        DEFAULT_SUITE
    ),
    task: Tasks = None,
    device: Device = "cpu",
    dtype: MethodDType = FLOAT32,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Results folder.", show_default="results/<method>"),
    ] = None,
    executor: ExecutorName = "local",
    workers: Workers = None,
    timeout: Timeout = None,
    ray_address: RayAddress = None,
    cache: CacheFolder = None,
    details: Details = False,
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Run methods, score them, and draw their profiles.

    The same command continues after an interruption. Several methods share each task's
    model, and with --json give a list.
    """
    folder = resolve_root(root)
    tasks = _choose(task, suite=suite, root=folder)
    plans = _plan([*(methods or []), *(built_in() if every else [])], out=out)
    wish = Wish(executor, workers, timeout, ray_address)
    from bench.evaluation.run import Settings

    settings = Settings(device, seed, resolve_cache(cache), dtype)
    results = _run(plans, tasks, wish, settings)
    documents: list[Plain] = []
    for plan in plans:
        scored = _score(results[plan.name], plan, task, suite=suite, root=folder)
        documents.append(write_scored(scored, out=plan.out))
        if not as_json:
            print_scored(scored, out=plan.out, details=details)
    if as_json:
        print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))
    if any(outcome.error for found in results.values() for outcome in found):
        raise typer.Exit(1)


def _plan(names: list[str], *, out: Path | None) -> "list[Plan]":
    """Find methods and say where their results go.

    Raises:
        UserError: There is none, one is named twice, or several share a folder.
    """
    if not names:
        raise UserError(
            "No method was given. Name one, as in: bench evaluate attribution-patching "
            "(bench list methods shows all), or take all with --built-in."
        )
    found = [load_method(name) for name in names]
    twice = [n for n, k in Counter(f.method.name for f in found).items() if k > 1]
    if twice:
        raise UserError(f"Two methods are called '{twice[0]}'. Give each its own name.")
    if out is not None and len(found) > 1:
        raise UserError(
            f"--out {out} would hold results of {len(found)} methods. Leave it out: "
            f"each method's results go to {RESULTS}/<method>."
        )
    from bench.evaluation.run import Plan

    return [Plan(f, RESULTS / f.method.name if out is None else out) for f in found]


def _score(
    outcomes: "list[Outcome]",
    plan: "Plan",
    chosen: list[str] | None,
    *,
    suite: str,
    root: Path,
) -> Scored:
    return score_records(
        plan.name,
        [(o.task, o.record) for o in outcomes if o.record is not None],
        root=root,
        suite=suite,
        complete=not chosen,
        failed={o.task.id: str(o.error) for o in outcomes if o.error is not None},
    )


def _choose(names: list[str] | None, *, suite: str, root: Path) -> tuple[Task, ...]:
    if names:
        return find_tasks(names, root=root)
    return suite_tasks(suite, root=root)


def load_method(name: str) -> "FoundMethod":
    """Find a method; needs the part of the installation that runs models.

    Raises:
        MissingExtraError: torch is not installed.
        MethodError: A method that is not built in has the name of one that is.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("torch", extra="run")
    from bench.methods.discovery import find_method

    found = find_method(name)
    if found.origin != "built-in" and found.method.name in built_in_names():
        raise MethodError(
            f"'{found.source}' calls its method '{found.method.name}', which is the "
            "name of a built-in one. Give it a name of its own in @method."
        )
    return found


def _run(
    plans: "list[Plan]",
    tasks: tuple[Task, ...],
    wish: Wish,
    settings: "Settings",
) -> "dict[str, list[Outcome]]":
    from bench.evaluation.run import run_methods

    executor = choose_executor(wish, device=settings.device)
    with progress_display() as titled:
        results = run_methods(
            plans, tasks, settings, executor=executor, announce=titled
        )
    for name, outcomes in results.items():
        for outcome in outcomes:
            if outcome.error is not None:
                typer.echo(f"{outcome.task.id}: {outcome.error}", err=True)
            elif outcome.resumed:
                typer.echo(f"{name} on {outcome.task.id}: was there already", err=True)
    return results
