"""Every task in the repository."""

import json

import pytest

from bench.tasks.drawing import draw_prompts
from bench.tasks.registry import data_root, find_task, read_suites, task_files

ROOT = data_root()
TASKS = sorted(task_files(ROOT))


def test_there_are_tasks() -> None:
    """A walk over all tasks would pass on an empty folder."""
    assert "induction/small-llama" in TASKS


@pytest.mark.parametrize("name", TASKS)
def test_files_match_their_digests(name: str) -> None:
    """Prompts and model files are the recorded ones."""
    task = find_task(name, root=ROOT)

    task.verify_prompts()
    task.verify_model()


@pytest.mark.parametrize("name", TASKS)
def test_splits_are_large_enough(name: str) -> None:
    """Both splits hold at least 32 prompts, and no prompt is in both."""
    task = find_task(name, root=ROOT)
    discovery, reference = (
        task.read_prompts(split) for split in ("discovery", "reference")
    )

    assert min(len(discovery), len(reference)) >= 32
    seen = {prompt.input_ids for prompt in discovery}
    assert not seen & {prompt.input_ids for prompt in reference}


@pytest.mark.parametrize("name", TASKS)
def test_prompts_follow_their_recipe(name: str) -> None:
    """Drawing again by the recorded recipe gives the frozen prompts."""
    task = find_task(name, root=ROOT)
    recipe = task.spec.prompts.recipe
    if recipe is None:
        pytest.skip("brought prompts have no recipe")

    drawn = draw_prompts(recipe)

    frozen = task.read_prompts("discovery") + task.read_prompts("reference")
    assert drawn == frozen


@pytest.mark.parametrize("name", TASKS)
def test_token_ids_are_in_the_vocabulary(name: str) -> None:
    """No prompt holds a token that the model does not have."""
    task = find_task(name, root=ROOT)
    folder = task.local_model_folder
    if folder is None:
        pytest.skip("a hub model's configuration is not here")
    vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]

    largest = max(
        max(*prompt.input_ids, *prompt.control_ids, *prompt.corrupt_ids)
        for prompt in task.read_prompts("reference")
    )

    assert largest < vocabulary


def test_suites_name_tasks_that_exist() -> None:
    """Every task of every suite is in the repository, once."""
    for suite in read_suites(ROOT).values():
        assert set(suite.tasks) <= set(TASKS)
        assert len(set(suite.tasks)) == len(suite.tasks)
