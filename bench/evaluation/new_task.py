"""Write new tasks: a task file and its frozen prompts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from bench.errors import NoRoomError, UserError
from bench.results.store import write_atomically
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.planted import PlantedRecipe
from bench.tasks.prompts import Prompt, prompt_lines
from bench.tasks.registry import TASK_FILE
from bench.tasks.spec import (
    PROTOCOL,
    SLUG,
    ModelSource,
    PromptSource,
    TaskSpec,
    check_model_source,
)

FAMILY = "induction"
TITLES = {"gpt2": "GPT-2", "llama": "Llama", "gemma2": "Gemma 2"}
PROMPTS_FILE = "prompts.jsonl"


@dataclass(frozen=True)
class About:
    """What a task is called and what may be done with it."""

    name: str
    summary: str
    licence: str


def write_task(
    folder: Path,
    about: About,
    *,
    model: ModelSource,
    prompts: Sequence[Prompt],
    recipe: RepeatedRandom | None,
) -> Path:
    """Write a task and return its file; prompts come first, since it has their digest.

    Raises:
        UserError: There is a task or a prompt file in the folder already, or the name
            cannot be one.
        FileFormatError: The model cannot be a task's.
        NoRoomError: A file could not be written.
    """
    path, frozen = folder / TASK_FILE, folder / PROMPTS_FILE
    for file in (path, frozen):
        if file.exists():
            raise UserError(
                f"'{file}' exists already and was left alone. Name a new folder."
            )
    data = prompt_lines(prompts)
    if not re.fullmatch(SLUG, about.name):
        raise UserError(
            f"'{about.name}' cannot name a task: use lower-case letters, digits and "
            "hyphens, 64 at most, as in 'my-task'. The folder's name is the task's."
        )
    source = PromptSource(
        file=PROMPTS_FILE, sha256=sha256_of_bytes(data), recipe=recipe
    )
    spec = TaskSpec(
        schema_version=1,
        family=FAMILY,
        name=about.name,
        version=1,
        summary=about.summary,
        licence=about.licence,
        protocol=PROTOCOL,
        model=model,
        prompts=source,
    )
    check_model_source(model, path)
    document = spec.model_dump(mode="json", exclude_none=True, exclude_unset=True)
    text = tomli_w.dumps(document).encode()
    write_atomically(frozen, data)
    try:
        write_atomically(path, text)
    except NoRoomError:
        frozen.unlink()  # half a task would be in the way of the next try
        raise
    return path


def write_planted_task(
    folder: Path, recipe: PlantedRecipe, *, architecture: str, blocks: int, name: str
) -> Path:
    """Write a task on a planted model; the recipe's seed also draws the prompts.

    Raises:
        UserError: There is a task or a prompt file in the folder already.
        FileFormatError: A circuit cannot be planted in such a model.
        NoRoomError: A file could not be written.
    """
    drawing = recipe.prompts(discovery=32, reference=32)
    source = ModelSource(planted=recipe, architecture=architecture, blocks=blocks)
    check_model_source(source, folder / TASK_FILE)
    shared = "two sections share" if recipe.redundant else "one section does"
    return write_task(
        folder,
        About(
            name=name,
            summary=f"A circuit planted in a {TITLES[architecture]} of {blocks} "
            f"blocks, among decoys; {shared} the copying.",
            licence="Apache-2.0",
        ),
        model=source,
        prompts=draw_prompts(drawing),
        recipe=drawing,
    )
