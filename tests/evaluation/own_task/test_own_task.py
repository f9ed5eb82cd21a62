from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.evaluation.own_task import Wanted, write_own_task
from bench.models.inspection import Inspected, inspect_model
from bench.tasks.digest import sha256_of_file
from bench.tasks.drawing import draw_prompts
from bench.tasks.prompts import Prompt
from bench.tasks.spec import ModelSource, Task, read_task

Make = Callable[..., Inspected]
Want = Callable[..., Wanted]


def written(path: Path) -> tuple[Task, tuple[Prompt, ...]]:
    """Read a task and its prompts."""
    task = read_task(path)
    return task, task.read_prompts("discovery") + task.read_prompts("reference")


def test_drawn_prompts(make: Make, want: Want, folder: Path) -> None:
    """Without texts or prompts random tokens are drawn, any but the special ones."""
    model = make()
    task, prompts = written(write_own_task(folder, "mine", model, want()))
    recipe = task.spec.prompts.recipe

    assert task.file == folder / "task.toml"
    assert recipe is not None
    assert (recipe.seed, recipe.period, recipe.bos) == (5, 8, 0)
    assert (recipe.first_token, recipe.last_token) == (1, 59)
    assert (recipe.discovery, recipe.reference) == (2, 17)
    assert prompts == draw_prompts(recipe)
    assert (task.spec.name, task.spec.licence) == ("mine", "unknown")
    assert task.spec.summary == f"Repeated random tokens on {model.name}."


def test_chosen_tokens(make: Make, want: Want, folder: Path) -> None:
    """The range of tokens and the first token may be chosen."""
    wanted = want(bos=59, tokens=(20, 35))
    _, prompts = written(write_own_task(folder, "mine", make(), wanted))

    assert {prompt.input_ids[0] for prompt in prompts} == {59}
    drawn = {token for prompt in prompts for token in prompt.control_ids[1:]}
    assert drawn == set(range(20, 36))


def test_a_chosen_first_token_is_not_drawn(
    make: Make, want: Want, folder: Path
) -> None:
    """A token that begins prompts does not occur in them again."""
    _, prompts = written(write_own_task(folder, "mine", make(), want(bos=30)))

    assert {prompt.input_ids[0] for prompt in prompts} == {30}
    assert not any(30 in prompt.control_ids[1:] for prompt in prompts)


def test_prompts_of_texts(
    make: Make,
    want: Want,
    folder: Path,
    texts: Path,
    halves: tuple[tuple[int, ...], ...],
) -> None:
    """Passages are cut, repeated in their order, and each contrasted with the next."""
    path = write_own_task(folder, "mine", make(), want(), texts=texts)
    task, prompts = written(path)

    assert [prompt.input_ids for prompt in prompts] == [(0, *h, *h) for h in halves]
    assert prompts[0].control_ids == (0, *halves[0], *halves[1])
    assert [prompt.split for prompt in prompts].count("discovery") == 2
    assert task.spec.prompts.recipe is None
    assert task.spec.summary.startswith("Repeated passages of 'texts.txt' on ")


def test_empty_lines_are_no_passages(
    make: Make, want: Want, folder: Path, texts: Path
) -> None:
    """Passages may be set apart by empty lines, and more of them do no harm."""
    one = write_own_task(folder, "a", make(), want(), texts=texts)
    texts.write_text(texts.read_text().replace("\n", "\n \n\n") + "w1 w1")
    other = write_own_task(folder.parent / "b", "b", make(), want(), texts=texts)

    assert written(one)[1] == written(other)[1]


def test_brought_prompts(
    make: Make,
    want: Want,
    folder: Path,
    brought: Path,
    tiny_prompts: tuple[Prompt, ...],
) -> None:
    """Prompts that were brought are taken as they are, whatever else is wanted."""
    model = make(words=False, bos_token_id=None)
    wanted = want(period=16, discovery=9)
    path = write_own_task(folder, "mine", model, wanted, prompts=brought)
    task, prompts = written(path)

    assert prompts == tiny_prompts
    assert task.spec.prompts.recipe is None
    assert task.spec.summary == f"Brought prompts on {model.name}."


def test_the_model_of_a_folder(make: Make, want: Want, folder: Path) -> None:
    """A folder is named relative to the task, with the digests of all its weights."""
    inspected = make()
    model = Path(inspected.name)
    (model / "model.safetensors.index.json").write_text("{}")
    (model / "README.md").write_text("")
    task = read_task(write_own_task(folder, "mine", inspected, want()))

    names = ("config.json", "model.safetensors", "model.safetensors.index.json")
    assert task.spec.model == ModelSource(
        path="../../model",
        architecture="gpt2",
        blocks=3,
        sha256={name: sha256_of_file(model / name) for name in names},
    )
    assert task.local_model_folder == model
    task.verify_model()


def test_relative_folders(
    make: Make,
    want: Want,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model named from where the command runs is found from the task, too."""
    found = make()
    monkeypatch.chdir(tmp_path)
    here = Inspected("model", found.config, found.tokenizer)
    task = read_task(write_own_task(Path("tasks/mine"), "mine", here, want()))

    assert task.file == folder / "task.toml"
    assert task.local_model_folder == tmp_path / "model"


def test_linked_folders(make: Make, want: Want, folder: Path, tmp_path: Path) -> None:
    """A model is found from where a link to the task's folder leads."""
    real = tmp_path / "some" / "where" / "else"
    real.mkdir(parents=True)
    folder.parent.mkdir()
    folder.symlink_to(real)
    task = read_task(write_own_task(folder, "mine", make(), want()))

    assert task.file == real / "task.toml"
    assert task.local_model_folder == tmp_path / "model"


def test_the_model_of_the_hub(
    make: Make,
    want: Want,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hub model is pinned by its commit and described by its size."""
    root, commit = tmp_path / "hub" / "models--some-owner--tiny", "01" * 20
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    made = make()
    made.config.save_pretrained(root / "snapshots" / commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    model = inspect_model("some-owner/tiny")
    task = read_task(write_own_task(folder, "mine", model, want()))
    assert task.spec.model == ModelSource(
        hub="some-owner/tiny",
        revision=commit,
        parameters=made.parameters,
        architecture="gpt2",
        blocks=3,
    )
