from pathlib import Path

import pytest
import torch

from bench.errors import DigestError
from bench.evaluation.contexts import new_generator, open_task
from bench.models.subject import SubjectModel
from bench.tasks.prompts import Prompt
from bench.tasks.spec import read_task


def test_methods_see_the_discovery_prompts_alone(
    task_file: Path, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """No prompt of the reference split reaches a method."""
    ctx = open_task(
        read_task(task_file), device="cpu", seed=0, progress=lambda _d, _t: None
    )

    expected = [list(p.input_ids) for p in tiny_prompts if p.split == "discovery"]
    assert ctx.prompts.clean.tolist() == expected
    assert ctx.n_sections == 4


def test_generator_follows_the_seed(tiny_model: SubjectModel) -> None:
    """Equal seeds draw equal numbers, another seed others."""
    one, again, other = (
        torch.rand(4, generator=new_generator(tiny_model, seed=seed))
        for seed in (3, 3, 4)
    )

    assert one.equal(again)
    assert not one.equal(other)


def test_altered_prompts_are_refused(task_file: Path) -> None:
    """A changed prompt file is a digest error that names it."""
    path = task_file.parent / "prompts.jsonl"
    path.write_text(path.read_text() + "\n")

    with pytest.raises(DigestError, match=r"prompts\.jsonl' was altered"):
        open_task(
            read_task(task_file), device="cpu", seed=0, progress=lambda _d, _t: None
        )
