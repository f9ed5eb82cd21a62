"""Optimal ablation: the behaviour lost when a section writes the best constant.

    M(x) - M(x; w <- c),    c = argmax over constants of the mean behaviour

The constant, one vector for each position and the same for every prompt, is the best of
STEPS points that Adam passes, from the mean on. Kind: write. Cost:
S/2 (STEPS (F + B) + F) + F. Source: Li and Janson 2024 (arXiv 2409.09951).
Known failure: the constants are chosen on the prompts that they are judged on, and
redundant sections hide each other as under any ablation of one section.
"""

import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.sweep import sweep
from bench.models.edits import replace_write
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution

STEPS = 6
"""Constants that are tried."""
RATE = 0.1
"""Size of a step, in root mean squares of the write."""


@method("optimal-ablation", kind="write", cost="S/2 (7 F + 6 B) + 1 F")
def optimal_ablation(ctx: TaskContext) -> LayerAttribution:
    """Measure the drop of the behaviour with the best constant for each write."""
    trace = ctx.trace(ctx.prompts.clean)
    constants = [_best_constant(ctx, trace, s) for s in range(ctx.n_sections)]
    ablated = sweep(
        ctx, ctx.prompts.clean, lambda s: replace_write(constants[s]), base=trace
    )
    return ctx.answer(ctx.metric_of(trace)[:, None] - ablated)


def _best_constant(ctx: TaskContext, trace: Trace, section: int) -> Tensor:
    """Climb from the mean write; keep the best constant on the way."""
    write, before = trace.writes[section], trace.point(section)
    constant = write.mean(dim=0, keepdim=True).clone().requires_grad_()
    climber = torch.optim.Adam([constant], lr=RATE * float(write.pow(2).mean().sqrt()))
    best, highest = constant.detach().clone(), -torch.inf
    for _ in range(STEPS):
        values, gradient = ctx.state_gradient(
            ctx.prompts.clean, section, before + constant.detach(), base=trace
        )
        if (mean := float(values.mean())) > highest:
            best, highest = constant.detach().clone(), mean
        constant.grad = -gradient.mean(dim=0, keepdim=True)
        climber.step()
    return best
