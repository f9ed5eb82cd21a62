from pathlib import Path

import pytest
import torch

from bench.errors import DigestError
from bench.evaluation.contexts import OpenedTask
from bench.tasks.prompts import Prompt
from bench.tasks.spec import read_task


def quiet(_done: int, _total: int) -> None:
    """Show nothing."""


@pytest.fixture
def opened(task_file: Path) -> OpenedTask:
    """A task on the small model."""
    return OpenedTask(read_task(task_file), device="cpu", seed=0)


def test_methods_see_the_discovery_prompts_alone(
    opened: OpenedTask, tiny_prompts: tuple[Prompt, ...]
) -> None:
    """No prompt of the reference split reaches a method."""
    ctx = opened.context(quiet)

    expected = [list(p.input_ids) for p in tiny_prompts if p.split == "discovery"]
    assert ctx.prompts.clean.tolist() == expected
    assert ctx.n_sections == 4


def test_model_is_loaded_once(opened: OpenedTask) -> None:
    """Every method gets the same model and prompts, and a generator of its own."""
    one, other = opened.context(quiet), opened.context(quiet)

    assert one.subject is other.subject
    one.prompts.clean[:] = 0  # what a method writes there is its own affair
    assert other.prompts.clean.equal(opened.prompts.clean)
    assert other.prompts.clean.any()
    drawn = [torch.rand(4, generator=ctx.generator) for ctx in (one, other)]
    assert drawn[0].equal(drawn[1])


def test_generator_follows_the_seed(task_file: Path) -> None:
    """Equal seeds draw equal numbers, another seed others."""
    task = read_task(task_file)
    one, again, other = (
        torch.rand(4, generator=OpenedTask(task, "cpu", seed).generator())
        for seed in (3, 3, 4)
    )

    assert one.equal(again)
    assert not one.equal(other)


def test_control_context_has_nothing_that_repeats(opened: OpenedTask) -> None:
    """Clean prompts are control prompts; corrupt ones have other first halves."""
    own, control = opened.context(quiet), opened.control_context(quiet)
    first, second = slice(1, 9), slice(9, 17)

    assert control.prompts.clean.equal(own.prompts.control)
    assert control.prompts.corrupt[:, first].equal(own.prompts.corrupt[:, first])
    assert control.prompts.corrupt[:, second].equal(own.prompts.control[:, second])
    assert control.prompts.targets.equal(own.prompts.targets)
    assert control.subject is own.subject


def test_what_is_written_to_prompts_stays_in_the_run(opened: OpenedTask) -> None:
    """Control prompts are copies, too."""
    before = opened.prompts.clone()
    prompts = opened.control_context(quiet).first_prompts(2).prompts
    for name in ("clean", "corrupt", "control", "sources", "sites"):
        getattr(prompts, name).zero_()
        assert getattr(opened.prompts, name).equal(getattr(before, name))


def test_models_are_loaded_anew_after_a_failure(opened: OpenedTask) -> None:
    """What is forgotten is another model of the same weights."""
    ctx, blank = opened.context(quiet), opened.untrained
    next(iter(ctx.model.parameters())).zero_()
    opened.forget()
    again = opened.context(quiet)

    assert again.subject is not ctx.subject
    assert next(iter(again.model.parameters())).any()
    assert opened.untrained is not blank
    opened.forget()
    opened.forget()  # nothing there is nothing to forget


def test_untrained_context_has_another_model(opened: OpenedTask) -> None:
    """The same prompts on weights that were never trained, the same ones each time."""
    own, blank = opened.context(quiet), opened.untrained_context(quiet)

    assert blank.prompts.clean.equal(own.prompts.clean)
    assert blank.subject is opened.untrained
    one, other = (next(iter(c.model.parameters())) for c in (own, blank))
    assert not one.equal(other)


def test_altered_prompts_are_refused(opened: OpenedTask, task_file: Path) -> None:
    """A changed prompt file is a digest error that names it."""
    path = task_file.parent / "prompts.jsonl"
    path.write_text(path.read_text() + "\n")

    with pytest.raises(DigestError, match=r"prompts\.jsonl' was altered"):
        opened.context(quiet)
