"""``bench prompts``: draw new prompts by a task's recipe."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.lazy import plain_typer
from bench.cli.options import Root, Seed, resolve_root
from bench.errors import UserError
from bench.results.store import write_atomically
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.drawing import draw_prompts
from bench.tasks.prompts import prompt_lines
from bench.tasks.registry import find_task

prompts = plain_typer(name="prompts", help="Draw prompts.")


@prompts.callback()
def _group() -> None:
    """Draw prompts."""


@prompts.command()
def fresh(
    task: Annotated[str, typer.Argument(help="Task, by name or task.toml.")],
    seed: Seed,
    out: Annotated[Path, typer.Option(help="File to write, JSON lines.")],
    root: Root = None,
) -> None:
    """Draw new prompts by the recipe of a task, from another seed."""
    spec = find_task(task, root=resolve_root(root)).spec
    if spec.prompts.recipe is None:
        raise UserError(
            f"'{spec.id}' has no recipe: its prompts were brought, not drawn. Choose a "
            "task with [prompts.recipe]."
        )
    if out.exists():
        raise UserError(f"'{out}' exists already and was left alone. Name a new file.")
    try:
        drawn = draw_prompts(spec.prompts.recipe.model_copy(update={"seed": seed}))
    except ValueError as error:
        raise UserError(f"The recipe of '{spec.id}' cannot be drawn: {error}") from None
    data = prompt_lines(drawn)
    write_atomically(out, data)
    print(sha256_of_bytes(data))
    print(
        f"{len(drawn)} prompts in {out}; the line above is their SHA-256.",
        file=sys.stderr,
    )
