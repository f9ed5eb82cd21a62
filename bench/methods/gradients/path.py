"""Gradients along a straight path of one section's state."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.methods.context import TaskContext
from bench.models.trace import Trace

POINTS = 5
"""Gauss-Legendre points: exact for gradients that are polynomials of degree 9."""


def nodes(points: int = POINTS) -> list[tuple[float, float]]:
    """Return positions on the path from 0 to 1, and their weights."""
    x, weight = np.polynomial.legendre.leggauss(points)
    return list(zip(((x + 1) / 2).tolist(), (weight / 2).tolist(), strict=True))


def integrated_effect(
    ctx: TaskContext,
    ids: Int[Tensor, "P T"],
    section: int,
    change: Float[Tensor, "P T d"],
    *,
    base: Trace,
    first: int = 0,
) -> Float[Tensor, " P"]:
    """Integrate the gradient while the state after a section goes from h to h + change.

    Args:
        ctx: The task.
        ids: The prompts that are run.
        section: Number of the section.
        change: How the state changes.
        base: The trace of these prompts without edits.
        first: The change is 0 before this position.

    Returns:
        ``change`` times the mean gradient: what putting h + change there does to the
        behaviour, up to the error of the quadrature.
    """
    total = torch.zeros_like(change)
    for position, weight in nodes():
        state = base.states[section] + position * change
        total += (
            weight * ctx.state_gradient(ids, section, state, base=base, first=first)[1]
        )
    return (total * change).sum(dim=(1, 2))
