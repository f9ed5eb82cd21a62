import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError, NoRoomError, UserError
from bench.evaluation import new_task
from bench.evaluation.new_task import About, write_planted_task, write_task
from bench.results.store import write_atomically
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.planted import PlantedRecipe
from bench.tasks.prompts import Prompt
from bench.tasks.spec import ModelSource, Task, read_task

ABOUT = About(name="mine", summary="Say something.", licence="CC0-1.0")
DIGESTS = {"config.json": "0" * 64, "model.safetensors": "1" * 64}
MODEL = ModelSource(path="../model", architecture="gpt2", blocks=3, sha256=DIGESTS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where tasks are written; there is nothing yet."""
    return tmp_path / "tasks" / "mine"


def prompts_of(task: Task) -> tuple[Prompt, ...]:
    """Read all prompts of a task."""
    return task.read_prompts("discovery") + task.read_prompts("reference")


def plant(folder: Path, **changes: Any) -> Path:
    """Write a planted task of two blocks."""
    recipe = {"seed": 3, "redundant": changes.pop("redundant", False)}
    options = {"architecture": "llama", "blocks": 2, "name": "mine"} | changes
    return write_planted_task(folder, PlantedRecipe(generator=1, **recipe), **options)


def test_what_was_asked_for_is_read_back(
    folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """The task file says what was asked for, and the first version of it."""
    path = write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)
    task = read_task(path)

    assert path == folder / "task.toml"
    assert (task.id, task.spec.version) == ("induction/mine", 1)
    assert (task.spec.summary, task.spec.licence) == ("Say something.", "CC0-1.0")
    assert task.spec.protocol == "relative-response-2"
    assert task.spec.model == MODEL
    assert task.spec.prompts.recipe is None


def test_prompts_are_read_back(folder: Path, tiny_prompts: tuple[Prompt, ...]) -> None:
    """The recorded digest is the prompt file's, and it holds the prompts."""
    path = write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)
    task = read_task(path)
    data = (folder / task.spec.prompts.file).read_bytes()

    assert task.spec.prompts.sha256 == hashlib.sha256(data).hexdigest()
    assert prompts_of(task) == tiny_prompts


def test_a_recipe_draws_the_same_prompts(folder: Path) -> None:
    """The recipe in the task file is that of the prompts beside it."""
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=5,
        period=8,
        bos=0,
        first_token=1,
        last_token=39,
        discovery=3,
        reference=17,
    )
    made = draw_prompts(recipe)
    task = read_task(
        write_task(folder, ABOUT, model=MODEL, prompts=made, recipe=recipe)
    )

    assert task.spec.prompts.recipe == recipe
    assert prompts_of(task) == made


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        ModelSource(embedded="toy", architecture="llama", blocks=2, sha256=DIGESTS),
        ModelSource(
            hub="some-owner/tiny",
            revision="01" * 20,
            gated=True,
            parameters=7,
            architecture="llama",
            blocks=2,
        ),
        ModelSource(
            planted=PlantedRecipe(seed=1, redundant=True),
            architecture="gemma2",
            blocks=3,
        ),
    ],
    ids=["path", "embedded", "hub", "planted"],
)
def test_every_source_is_read_back(
    model: ModelSource, folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """Wherever a model comes from, the task file says so and nothing else."""
    path = write_task(folder, ABOUT, model=model, prompts=tiny_prompts, recipe=None)

    assert read_task(path).spec.model == model
    written = tomllib.loads(path.read_text())["model"]
    assert set(written) == model.model_fields_set


def test_half_a_task_is_taken_back(
    folder: Path, tiny_prompts: tuple[Prompt, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second file finds no room the first one goes, and a retry works."""

    def full(path: Path, data: bytes) -> None:
        if path.name == "task.toml":
            raise NoRoomError("no room")
        write_atomically(path, data)

    monkeypatch.setattr(new_task, "write_atomically", full)
    with pytest.raises(NoRoomError, match="no room"):
        write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)
    assert list(folder.iterdir()) == []

    monkeypatch.setattr(new_task, "write_atomically", write_atomically)
    write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)


def test_an_existing_task_is_left_alone(
    folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """A task that is there is never written over, nor are its prompts."""
    folder.mkdir(parents=True)
    for name in ("task.toml", "prompts.jsonl"):
        (folder / name).write_text("mine")

    expected = (
        f"'{folder / 'task.toml'}' exists already and was left alone. "
        "Name a new folder."
    )
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)
    for name in ("task.toml", "prompts.jsonl"):
        assert (folder / name).read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    ["", "Mine", "-mine", "my_task", "my task", "a.b", "é", "../x", "a\n", "a" * 65],
)
def test_bad_names_are_refused(
    name: str, folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """A name that is no slug is refused with what one is, and nothing is written."""
    about = About(name=name, summary="", licence="")

    expected = f"'{name}' cannot name a task: use lower-case letters, digits and "
    with pytest.raises(UserError, match=f"^{re.escape(expected)}hyphens, 64 at most"):
        write_task(folder, about, model=MODEL, prompts=tiny_prompts, recipe=None)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["a", "0", "my-task-2", "a" * 64])
def test_good_names_are_taken(
    name: str, folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """Any slug names a task."""
    about = About(name=name, summary="", licence="")
    path = write_task(folder, about, model=MODEL, prompts=tiny_prompts, recipe=None)

    assert read_task(path).id == f"induction/{name}"


def test_an_incomplete_source_is_refused(
    folder: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """What could not be read back is not written."""
    model = ModelSource(hub="some-owner/tiny", architecture="gpt2", blocks=3)

    expected = r"\[model\] hub = 'some-owner/tiny' needs 'revision'"
    with pytest.raises(FileFormatError, match=expected):
        write_task(folder, ABOUT, model=model, prompts=tiny_prompts, recipe=None)
    assert not folder.exists()


def test_a_file_in_the_way(folder: Path, tiny_prompts: tuple[Prompt, ...]) -> None:
    """A folder that cannot be made is a file that cannot be written."""
    folder.parent.mkdir()
    folder.write_text("mine")

    expected = rf"^'{folder}/prompts\.jsonl' could not be written: "
    with pytest.raises(NoRoomError, match=expected):
        write_task(folder, ABOUT, model=MODEL, prompts=tiny_prompts, recipe=None)
    assert folder.read_text() == "mine"


def test_a_planted_task(folder: Path) -> None:
    """The recipe is the model, and its seed draws 32 prompts of either kind."""
    task = read_task(plant(folder))
    recipe = task.spec.prompts.recipe

    assert task.id == "induction/mine"
    assert task.spec.model == ModelSource(
        planted=PlantedRecipe(seed=3), architecture="llama", blocks=2
    )
    assert recipe is not None
    assert (recipe.seed, recipe.period, recipe.bos) == (3, 16, 0)
    assert (recipe.first_token, recipe.last_token) == (1, 32)
    assert prompts_of(task) == draw_prompts(recipe)
    assert [len(task.read_prompts(s)) for s in ("discovery", "reference")] == [32, 32]


@pytest.mark.parametrize(
    ("architecture", "redundant", "expected"),
    [
        ("gpt2", False, "GPT-2 of 5 blocks, among decoys; one section does"),
        ("llama", True, "Llama of 5 blocks, among decoys; two sections share"),
        ("gemma2", True, "Gemma 2 of 5 blocks, among decoys; two sections share"),
    ],
)
def test_the_summary_of_a_planted_task(
    architecture: str, redundant: bool, expected: str, folder: Path
) -> None:
    """The summary says what was planted, and not where."""
    path = plant(folder, redundant=redundant, blocks=5, architecture=architecture)
    spec = read_task(path).spec

    assert spec.summary == f"A circuit planted in a {expected} the copying."
    assert spec.model.planted == PlantedRecipe(seed=3, redundant=redundant)


def test_a_planted_task_follows_its_seed(tmp_path: Path) -> None:
    """Equal seeds write equal files."""
    one, again = (plant(tmp_path / name) for name in ("one", "again"))

    for name in ("task.toml", "prompts.jsonl"):
        assert (one.parent / name).read_bytes() == (again.parent / name).read_bytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": 1}, r"the planted circuit needs 2 blocks; \[model\] blocks is 1"),
        ({"redundant": True}, "the planted circuit needs 3 blocks; "),
        ({"architecture": "qwen2"}, "circuits are planted in gpt2, llama, gemma2; "),
    ],
)
def test_what_cannot_be_planted_is_refused(
    changes: dict[str, Any], message: str, folder: Path
) -> None:
    """Too few blocks and unknown architectures are refused, nothing is written."""
    with pytest.raises(FileFormatError, match=message):
        plant(folder, **changes)
    assert not folder.exists()
