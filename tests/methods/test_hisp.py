import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.gradients.hisp import hisp
from tests.methods.naive_llama import NaiveTask, deviation, dot


def by_loop(
    ctx: TaskContext, *, at: str = "clean", by_position: bool = False
) -> np.ndarray:
    """Multiply each head's output by its gradient, one head of one prompt at a time."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        run = task.llama.run(task.start(at, p).requires_grad_())
        value = task.behaviour(p, run.logits)
        for block, heads in enumerate(run.heads):
            for head in heads:
                slope = torch.autograd.grad(value, head.output, retain_graph=True)[0]
                if by_position:
                    parts = [abs(dot(z, g)) for z, g in zip(head.output, slope)]  # noqa: B905
                    values[p, 2 * block] += sum(parts)
                else:
                    values[p, 2 * block] += abs(dot(head.output, slope))
    return values


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """Positions are summed within a head, absolute values over heads and prompts."""
    expected = by_loop(tiny_context)

    assert expected[:, [0, 2]].min() > 0.01
    assert (expected[:, [1, 3]] == 0).all()
    assert deviation(hisp(tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"at": "corrupt"}, {"by_position": True}])
def test_run_and_order_of_sums_matter(tiny_context: TaskContext, spoilt: dict) -> None:
    """The corrupt run, or absolute values of positions, give something else."""
    expected = by_loop(tiny_context, **spoilt)

    assert deviation(hisp(tiny_context).per_prompt, expected) > 0.01


def test_mean_is_taken_after_the_absolute_value(tiny_context: TaskContext) -> None:
    """Prompts whose heads act in opposite directions do not cancel."""
    answer = hisp(tiny_context)
    assert answer.per_prompt is not None

    np.testing.assert_allclose(answer.values, answer.per_prompt.mean(axis=0))
    assert (answer.per_prompt >= 0).all()


def test_bounds_the_writes_gradient(tiny_context: TaskContext) -> None:
    """Heads' signed products sum to write times gradient, which theirs bound."""
    ctx = tiny_context
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    whole = (torch.stack(trace.writes) * gradients).sum(dim=(2, 3)).T.abs().numpy()
    found = hisp(ctx).per_prompt

    assert found is not None
    assert whole[:, [0, 2]].max() > 0.05
    assert (found[:, [0, 2]] >= whole[:, [0, 2]] - 1e-5).all()
