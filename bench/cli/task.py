"""``bench task``: make a task of your own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.lazy import plain_typer
from bench.cli.options import LARGEST_SEED, Seed
from bench.errors import MissingExtraError, UserError
from bench.evaluation.new_task import write_planted_task
from bench.tasks.planted import PlantedRecipe
from bench.tasks.spec import MOST_BLOCKS

task = plain_typer(name="task", help="Make a task of your own.")

Folder = Annotated[Path, typer.Argument(help="New folder for the task.")]
TokenId = Annotated[int | None, typer.Option(min=0, show_default="the model's")]


@task.callback()
def _group() -> None:
    """Make a task of your own."""


@task.command()
def init(
    folder: Folder,
    model: Annotated[str, typer.Option(help="A folder with safetensors, or a hub id.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch or commit of a hub model.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="Repeat these passages: lines, or a table's column 'text'."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Take these prompts, with their probes.")
    ] = None,
    period: Annotated[
        int | None, typer.Option(min=8, help="Tokens of a half.", show_default="16")
    ] = None,
    discovery: Annotated[
        int | None, typer.Option(min=2, help="Prompts methods see.", show_default="32")
    ] = None,
    reference: Annotated[
        int | None,
        typer.Option(min=17, help="Prompts for the reference.", show_default="32"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=LARGEST_SEED, help="Seed.", show_default="0"),
    ] = None,
    bos: TokenId = None,
    first_token: TokenId = None,
    last_token: TokenId = None,
) -> None:
    """Write a task on a model of yours.

    Prompts are drawn at random, made from --texts, or brought with --prompts.
    """
    if texts is not None and prompts is not None:
        raise UserError("--texts and --prompts exclude each other; give one of them.")
    of_tokens = {"--first-token": first_token, "--last-token": last_token}
    if texts is not None:
        _refuse_given(of_tokens, source="--texts")
    if prompts is not None:
        of_drawing = {"--period": period, "--discovery": discovery}
        of_drawing |= {"--reference": reference, "--seed": seed, "--bos": bos}
        _refuse_given(of_drawing | of_tokens, source="--prompts")
    if (first_token is None) != (last_token is None):
        raise UserError("--first-token and --last-token go together; give both.")
    try:
        from bench.evaluation.own_task import Wanted, write_own_task
        from bench.models.inspection import inspect_model
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", extra="run") from None
    wanted = Wanted(
        period=16 if period is None else period,
        discovery=32 if discovery is None else discovery,
        reference=32 if reference is None else reference,
        seed=seed or 0,
        bos=bos,
        tokens=None
        if first_token is None or last_token is None
        else (first_token, last_token),
    )
    inspected = inspect_model(model, revision=revision)
    name = folder.resolve().name
    _announce(
        write_own_task(folder, name, inspected, wanted, texts=texts, prompts=prompts)
    )


def _refuse_given(options: Mapping[str, object], *, source: str) -> None:
    """Refuse options that would change nothing."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UserError(
            f"{', '.join(given)}: this has no effect on {source}. Leave it out."
        )


@task.command()
def planted(
    folder: Folder,
    seed: Seed,
    architecture: Annotated[str, typer.Option(help="gpt2, llama or gemma2.")] = "llama",
    blocks: Annotated[
        int, typer.Option(min=2, max=MOST_BLOCKS, help="Blocks of the model.")
    ] = 8,
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
            name=folder.resolve().name,
        )
    )


def _announce(path: Path) -> None:
    print(path)
    print(
        f"Next: bench reference compute {path}, then "
        f"bench evaluate METHOD --task {path}",
        file=sys.stderr,
    )
