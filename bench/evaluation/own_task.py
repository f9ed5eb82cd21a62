"""Write a task on a model that somebody brings."""

import os
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FileFormatError, UserError
from bench.evaluation.new_task import About, write_task
from bench.evaluation.reference import FEWEST_PROMPTS
from bench.models.inspection import Inspected
from bench.tasks.digest import sha256_of_file
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.passages import read_passages
from bench.tasks.prompts import Prompt, check_readable, read_prompts
from bench.tasks.spec import ModelSource
from bench.tasks.texts import passage_prompts


@dataclass(frozen=True)
class Wanted:
    """What the prompts shall be."""

    period: int
    discovery: int
    reference: int
    seed: int
    bos: int | None = None
    """None for the model's own."""
    tokens: tuple[int, int] | None = None
    """First and last id to draw from; None for the model's ordinary tokens."""


def write_own_task(
    folder: Path,
    name: str,
    model: Inspected,
    wanted: Wanted,
    *,
    texts: Path | None = None,
    prompts: Path | None = None,
) -> Path:
    """Write a task; prompts are drawn, made from texts, or brought.

    Args:
        folder: Where the task goes.
        name: The task's name.
        model: The model.
        wanted: What the prompts shall be; of brought ones, nothing is changed.
        texts: File of passages to make prompts from: lines, or the column ``text`` of a
            table (.jsonl, .csv, .parquet).
        prompts: File of prompts with explicit probes.

    Raises:
        UserError: The model has no token to begin a prompt with, the tokens to draw
            from are too few or hold that token, the texts or prompts are not usable,
            there is a task already, or the folder is the model's own.
        FileFormatError: A file cannot be read, or the folder holds no safetensors.
        NoRoomError: A file could not be written.
    """
    place = Path(model.name)
    if model.revision is None and folder.resolve() == place.resolve():
        raise UserError(
            f"'{folder}' is the model's own folder; its digests would cover the task's "
            "files, too. Name another folder."
        )
    recipe = None
    if prompts is not None:
        made = _brought(prompts)
        kind = "Brought prompts"
    elif texts is not None:
        made = _from_texts(texts, model, wanted)
        kind = f"Repeated passages of '{texts.name}'"
    else:
        recipe = _recipe(model, wanted)
        made = _drawn(recipe)
        kind = "Repeated random tokens"
    check_readable(
        made,
        vocabulary=model.config.vocab_size,
        context=model.config.max_position_embeddings,
    )
    about = About(name=name, summary=f"{kind} on {model.name}.", licence="unknown")
    source = _source(model, folder)
    return write_task(folder, about, model=source, prompts=made, recipe=recipe)


def _brought(path: Path) -> tuple[Prompt, ...]:
    measured = read_prompts(path, split="reference")
    if len(measured) < FEWEST_PROMPTS:
        raise UserError(
            f"'{path}' has {len(measured)} reference prompts; a reference needs at "
            f"least {FEWEST_PROMPTS}."
        )
    return read_prompts(path, split="discovery") + measured


def _drawn(recipe: RepeatedRandom) -> tuple[Prompt, ...]:
    try:
        return draw_prompts(recipe)
    except ValueError as error:
        raise UserError(str(error)) from None


def _begin(model: Inspected, wanted: Wanted) -> int:
    found = model.bos if wanted.bos is None else wanted.bos
    size = model.config.vocab_size
    if found is not None and not 0 <= found < size:
        raise UserError(
            f"The token to begin with is {found}; those of '{model.name}' are 0 to "
            f"{size - 1}. Choose one with --bos."
        )
    if found is None:
        raise UserError(
            f"'{model.name}' names no token that begins a text. Choose one with --bos, "
            "such as the id of its end-of-text token."
        )
    return found


def _longer_side(tokens: tuple[int, int], bos: int) -> tuple[int, int]:
    """Leave out a token that begins prompts, and what lies on its shorter side."""
    first, last = tokens
    if not first <= bos <= last:
        return tokens
    sides = ((first, bos - 1), (bos + 1, last))
    return max(sides, key=lambda side: side[1] - side[0])


def _recipe(model: Inspected, wanted: Wanted) -> RepeatedRandom:
    bos = _begin(model, wanted)
    first, last = wanted.tokens or _longer_side(model.ordinary, bos)
    size = model.config.vocab_size
    if last < 0:
        raise UserError(f"'{model.name}' has special tokens alone, none to draw from.")
    if last >= size:
        raise UserError(
            f"The range of tokens ends at {last}; the model's vocabulary ends at "
            f"{size - 1}. Choose a smaller --last-token."
        )
    return RepeatedRandom(
        kind="repeated-random",
        seed=wanted.seed,
        period=wanted.period,
        bos=bos,
        first_token=first,
        last_token=last,
        discovery=wanted.discovery,
        reference=wanted.reference,
    )


def _from_texts(path: Path, model: Inspected, wanted: Wanted) -> tuple[Prompt, ...]:
    passages = read_passages(path)
    needed = wanted.discovery + wanted.reference
    if len(passages) < needed:
        raise UserError(
            f"'{path}' holds {len(passages)} passages; {needed} are "
            f"needed: {wanted.discovery} for discovery, {wanted.reference} for "
            "reference."
        )
    return passage_prompts(
        [model.tokenize(passage) for passage in passages[:needed]],
        bos=_begin(model, wanted),
        period=wanted.period,
        discovery=wanted.discovery,
        seed=wanted.seed,
    )


def _source(model: Inspected, folder: Path) -> ModelSource:
    place = Path(model.name)
    if not place.is_dir():
        return ModelSource(
            hub=model.name,
            revision=model.revision,
            parameters=model.parameters,
            architecture=model.architecture,
            blocks=model.blocks,
        )
    weights = sorted(place.glob("*.safetensors*"))
    if not weights:
        raise FileFormatError(
            f"'{place}' holds no *.safetensors. Pickled weights are never read: load "
            "the model where you trust it and write it with save_pretrained."
        )
    return ModelSource(
        path=os.path.relpath(place.resolve(), folder.resolve()),
        architecture=model.architecture,
        blocks=model.blocks,
        sha256={f.name: sha256_of_file(f) for f in (place / "config.json", *weights)},
    )
