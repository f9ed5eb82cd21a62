"""``bench task``: make a task of your own."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.lazy import plain_typer
from bench.cli.options import Seed
from bench.evaluation.new_task import write_planted_task
from bench.tasks.planted import PlantedRecipe

task = plain_typer(name="task", help="Make a task of your own.")

Folder = Annotated[Path, typer.Argument(help="New folder for the task.")]


@task.callback()
def _group() -> None:
    """Make a task of your own."""


@task.command()
def planted(
    folder: Folder,
    seed: Seed,
    architecture: Annotated[str, typer.Option(help="gpt2, llama or gemma2.")] = "llama",
    blocks: Annotated[int, typer.Option(min=2, help="Blocks of the model.")] = 6,
    redundant: Annotated[
        bool, typer.Option("--redundant", help="Let two sections share the copying.")
    ] = False,
) -> None:
    """Write a task on a model that no method has seen: its circuit follows the seed."""
    recipe = PlantedRecipe(generator=1, seed=seed, redundant=redundant)
    _announce(
        write_planted_task(
            folder,
            recipe,
            architecture=architecture,
            blocks=blocks,
            name=f"planted-{architecture}-{seed}",
        )
    )


def _announce(path: Path) -> None:
    print(path)
    print(
        f"Next: bench reference compute {path}, then "
        f"bench evaluate METHOD --task {path}",
        file=sys.stderr,
    )
