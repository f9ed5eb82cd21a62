from collections.abc import Callable

import pytest
import torch
from torch.func import jvp
from torch.utils.flop_counter import FlopCounterMode

from bench.models.behaviour import PromptBatch, centred_logit
from bench.models.counting import count_operations, forward_equivalents
from bench.models.run import run
from bench.models.subject import SubjectModel


@pytest.mark.parametrize("times", [1, 2, 5])
def test_forwards_are_counted(
    tiny_model: SubjectModel, tiny_batch: PromptBatch, times: int
) -> None:
    """So many forward passes count as so many."""

    def work() -> None:
        for _ in range(times):
            assert run(tiny_model, tiny_batch.corrupt).logits.isfinite().all()

    assert forward_equivalents(tiny_model, tiny_batch, work) == times


def test_no_work_costs_nothing(
    tiny_model: SubjectModel, tiny_batch: PromptBatch
) -> None:
    """Without the model there is nothing to count."""
    assert forward_equivalents(tiny_model, tiny_batch, lambda: None) == 0.0


def test_part_of_the_prompts_costs_its_part(
    tiny_model: SubjectModel, tiny_batch: PromptBatch
) -> None:
    """One of three prompts is a third of a forward pass."""
    found = forward_equivalents(
        tiny_model, tiny_batch, lambda: run(tiny_model, tiny_batch.clean[:1]).logits
    )

    assert found == pytest.approx(1 / 3)


def backward_work(model: SubjectModel, batch: PromptBatch) -> Callable[[], None]:
    """Differentiate the behaviour by the embeddings."""

    def work() -> None:
        start = model.embed(batch.clean).requires_grad_()
        trace = run(model, batch.clean, embeddings=start)
        centred_logit(trace.logits, batch).sum().backward()

    return work


def test_backward_with_frozen_weights(
    tiny_model: SubjectModel, tiny_batch: PromptBatch
) -> None:
    """Forward and backward count a little over 2: weights have no gradients."""
    found = forward_equivalents(
        tiny_model, tiny_batch, backward_work(tiny_model, tiny_batch)
    )

    assert 2.0 <= found <= 2.2


def test_backward_with_trained_weights(
    make_model: Callable[..., SubjectModel], tiny_batch: PromptBatch
) -> None:
    """Where weights have gradients, too, forward and backward count 3."""
    model = make_model()
    model.module.requires_grad_(True)

    found = forward_equivalents(model, tiny_batch, backward_work(model, tiny_batch))

    assert found == pytest.approx(3.0, abs=0.05)


def test_count_does_not_depend_on_the_number_of_prompts(
    tiny_model: SubjectModel, tiny_batch: PromptBatch
) -> None:
    """One prompt and three cost the same in forward-equivalents."""
    one, three = (
        forward_equivalents(tiny_model, batch, backward_work(tiny_model, batch))
        for batch in (tiny_batch.first(1), tiny_batch)
    )

    assert one == pytest.approx(three, rel=1e-6)
    assert torch.is_grad_enabled()


def in_inference(model: SubjectModel, batch: PromptBatch) -> Callable[[], None]:
    """Run the model as inference, where torch passes on composite operations whole."""

    def work() -> None:
        with torch.inference_mode():
            model.module(batch.clean)

    return work


def with_tangents(model: SubjectModel, batch: PromptBatch) -> Callable[[], None]:
    """Carry a direction through the model, a vector product beside each product."""
    start = model.embed(batch.clean)

    def states(embeddings: torch.Tensor) -> torch.Tensor:
        return run(model, batch.clean, embeddings=embeddings).points

    def work() -> None:
        jvp(states, (start,), (torch.ones_like(start),))

    return work


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")
@pytest.mark.parametrize("kind", [backward_work, in_inference, with_tangents])
def test_operations_are_those_that_torch_counts(
    tiny_model: SubjectModel,
    tiny_batch: PromptBatch,
    kind: Callable[[SubjectModel, PromptBatch], Callable[[], None]],
) -> None:
    """Backward, inference and forward-mode passes agree with torch's own counter."""
    work = kind(tiny_model, tiny_batch)
    with FlopCounterMode(display=False) as counter:
        work()

    assert counter.get_total_flops() > 0
    assert count_operations(work) == counter.get_total_flops()
