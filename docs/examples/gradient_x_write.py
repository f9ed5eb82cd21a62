"""Gradient times write: to first order, what scaling a write does to the behaviour."""

import torch

from bench.api import LayerAttribution, TaskContext, method


@method("gradient-x-write", kind="write", cost="1 F + 1 B")
def gradient_x_write(ctx: TaskContext) -> LayerAttribution:
    """Multiply each write by the gradient of the behaviour."""
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    products = torch.stack(trace.writes) * gradients  # [sections, prompts, T, d]
    return ctx.answer(products.sum(dim=(2, 3)).T)  # [prompts, sections]
