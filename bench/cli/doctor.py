"""``bench doctor``: is a method file fit to be evaluated?"""

from typing import Annotated

import typer
from tabulate import tabulate

from bench.cli.evaluate import load_method
from bench.cli.options import Device, Root, resolve_root
from bench.tasks.registry import find_task

TASK = "induction/planted-llama"


def doctor(
    method: Annotated[str, typer.Argument(help="As for bench evaluate.")],
    device: Device = "cpu",
    root: Root = None,
) -> None:
    """Check a method in seconds.

    Shape, finiteness, determinism under equal seeds, ties, speed.
    """
    found = load_method(method)
    from bench.evaluation.doctor import examine

    checks = examine(found, find_task(TASK, root=resolve_root(root)), device=device)
    rows = [("ok" if c.passed else "FAILED", c.name, c.finding) for c in checks]
    print(tabulate(rows, tablefmt="plain"))
    if not all(check.passed for check in checks):
        raise typer.Exit(1)
