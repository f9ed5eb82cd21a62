import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.ablation import optimal as module
from bench.methods.ablation.optimal import RATE, STEPS, optimal_ablation
from bench.methods.ablation.zero import zero_ablation
from bench.methods.context import TaskContext
from bench.models.edits import replace_write
from tests.methods.naive_llama import NaiveTask, deviation, instead


def behaviours(task: NaiveTask, section: int, constant: Tensor) -> list[Tensor]:
    """Run every prompt with one constant write."""
    return [
        task.behaviour(
            p, task.run("clean", p, changes={section: instead(constant)}).logits
        )
        for p in task.all
    ]


def by_loop(
    ctx: TaskContext, *, steps: int = STEPS, rate: float = 0.1, start: float = 1.0
) -> np.ndarray:
    """Climb by a hand-written Adam from the mean write, and keep the best constant."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    intact = [task.value("clean", p) for p in task.all]
    for s in range(task.n_sections):
        writes = torch.stack([task.run("clean", p).writes[s] for p in task.all])
        step_size = rate * float((writes**2).mean()) ** 0.5
        constant = start * writes.mean(dim=0)
        first, second = torch.zeros_like(constant), torch.zeros_like(constant)
        best: list[float] = [-np.inf]
        for step in range(1, steps + 1):
            constant = constant.detach().requires_grad_()
            found = behaviours(task, s, constant)
            total = torch.stack(found).mean()
            if total.item() > np.mean(best):
                best = [value.item() for value in found]
            slope = torch.autograd.grad(total, constant)[0]
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            size = (second / (1 - 0.999**step)).sqrt() + 1e-8
            constant = constant + step_size * first / (1 - 0.9**step) / size
        values[:, s] = np.array(intact) - best
    return values


def test_equals_a_hand_written_climb(tiny_context: TaskContext) -> None:
    """From the mean, steps of Adam raise the mean behaviour; the best one counts."""
    expected = by_loop(tiny_context)
    found = optimal_ablation(tiny_context).per_prompt

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(found, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"steps": 5}, {"rate": 0.05}, {"start": 0.0}])
def test_climb_matters(tiny_context: TaskContext, spoilt: dict) -> None:
    """Fewer or smaller steps, or another start, end at another constant."""
    expected = by_loop(tiny_context, **spoilt)

    assert deviation(optimal_ablation(tiny_context).per_prompt, expected) > 0.01


def test_loses_less_than_the_mean(tiny_context: TaskContext) -> None:
    """No section loses more than with the pooled mean, which is where the climb begins.

    The mean ablation of this package leaves the prompt itself out, so it is no bound.
    """
    ctx = tiny_context
    trace = ctx.trace(ctx.prompts.clean)
    pooled = [
        ctx.edited_metric(
            ctx.prompts.clean, {s: replace_write(write.mean(dim=0, keepdim=True))}
        )
        for s, write in enumerate(trace.writes)
    ]
    lost = ctx.metric_of(trace).mean().numpy() - torch.stack(pooled).mean(dim=1).numpy()
    found = optimal_ablation(ctx).values

    assert (found <= lost + 1e-5).all()
    assert (lost - found).min() > 0.05


def test_one_step_is_the_pooled_mean(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first constant is the mean over prompts, position by position."""
    ctx, task = tiny_context, NaiveTask(tiny_context)
    monkeypatch.setattr(module, "STEPS", 1)
    expected = np.zeros((3, 4))
    for s in range(4):
        mean = torch.stack([task.run("clean", p).writes[s] for p in task.all]).mean(0)
        lost = [
            task.value("clean", p) - float(value)
            for p, value in enumerate(behaviours(task, s, mean))
        ]
        expected[:, s] = lost

    assert deviation(optimal_ablation(ctx).per_prompt, expected) < 1e-4


def test_climb_on_a_linear_model_by_hand(linear_context: TaskContext) -> None:
    """Where the gradient is constant, Adam steps by its sign, each a full step.

    The last of STEPS constants is STEPS - 1 steps from the mean, where the behaviour is
    higher by the steps' size times the sum of the gradient's absolute values.
    """
    ctx = linear_context
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    expected = []
    for write, gradient in zip(trace.writes, gradients, strict=True):
        slope = gradient.mean(dim=0).double()
        size = RATE * float(write.pow(2).mean().sqrt())
        # what the mean loses: prompts have targets of their own
        lost = ((write - write.mean(dim=0)) * gradient).sum(dim=(1, 2)).mean()
        climbed = size * (STEPS - 1) * float(slope.abs().sum())
        expected.append(float(lost) - climbed)

    assert np.abs(expected).min() > 0.1
    assert deviation(optimal_ablation(ctx).values, expected) < 1e-4


def test_is_not_the_zero_ablation(tiny_context: TaskContext) -> None:
    """The best constant is not nothing."""
    found = optimal_ablation(tiny_context).per_prompt

    assert deviation(found, zero_ablation(tiny_context).per_prompt) > 0.05
