import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench.tasks.digest import sha256_of_file
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.prompts import Prompt

TASK = """\
schema_version = 1
family = "induction"
name = "{name}"
version = 1
summary = "A task for tests."
licence = "CC0-1.0"
protocol = "relative-response-2"

[model]
embedded = "toy"
architecture = "llama"
blocks = 2
sha256 = {{ "config.json" = "{config}" }}

[prompts]
file = "prompts.jsonl"
sha256 = "{prompts}"
"""


@pytest.fixture
def recipe() -> RepeatedRandom:
    """The smallest recipe that is allowed."""
    return RepeatedRandom(
        kind="repeated-random",
        seed=3,
        period=8,
        bos=0,
        first_token=10,
        last_token=49,
        discovery=2,
        reference=17,
    )


@pytest.fixture
def prompts(recipe: RepeatedRandom) -> tuple[Prompt, ...]:
    """The prompts of the smallest recipe."""
    return draw_prompts(recipe)


@pytest.fixture
def rows(prompts: tuple[Prompt, ...]) -> list[dict[str, object]]:
    """The same prompts as plain data, free to be spoilt."""
    return [json.loads(prompt.model_dump_json()) for prompt in prompts]


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[Sequence[object]], Path]:
    """Write one JSON value a line and return the file."""

    def write(rows: Sequence[object]) -> Path:
        path = tmp_path / "prompts.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


@pytest.fixture
def make_task(tmp_path: Path, rows: list[dict[str, object]]) -> Callable[..., Path]:
    """Write a task folder with its model and prompts, and return its task file.

    ``edits`` are replacements in the text of the task file, each of which must occur.
    """
    models = tmp_path / "tasks" / "models" / "toy"

    def make(name: str = "tiny", *, edits: dict[str, str] | None = None) -> Path:
        folder = tmp_path / "tasks" / "induction" / name
        for place in (models, folder):
            place.mkdir(parents=True, exist_ok=True)
        (models / "config.json").write_text("{}")
        prompt_file = folder / "prompts.jsonl"
        prompt_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        text = TASK.format(
            name=name,
            config=sha256_of_file(models / "config.json"),
            prompts=sha256_of_file(prompt_file),
        )
        for old, new in (edits or {}).items():
            assert old in text
            text = text.replace(old, new)
        path = folder / "task.toml"
        path.write_text(text)
        return path

    return make
