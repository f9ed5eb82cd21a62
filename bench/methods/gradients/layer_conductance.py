"""Layer conductance: what flows through a state as the inputs change.

    sum over copy sites of the integral over a of dM/dh . dh/da

with h the residual after a section on the run from the embeddings r + a (c - r), c the
clean and r the corrupt ones, M the behaviour. The integral takes STEPS steps: the
change of h over the step times the gradient at its middle. Over all positions it is
M(c) - M(r) at every depth; at the copy sites it grows from 0 to that. Kind: state.
Cost: STEPS (2 F + B) + 2 F. Source: Dhamdhere et al. 2018 (arXiv 1805.12233).
Known failure: the path through mixed embeddings leaves the data distribution; where
attention switches on it, few steps are off by some hundredths of the largest value.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution

STEPS = 16


@method("layer-conductance", kind="state", cost="16 (2 F + B) + 2 F")
def layer_conductance(ctx: TaskContext) -> LayerAttribution:
    """Follow each state at the copy sites as the embeddings go to the clean ones."""
    return ctx.answer((conductance(ctx) * ctx.prompts.site_mask[..., 0]).sum(dim=2).T)


def conductance(ctx: TaskContext, *, steps: int = STEPS) -> Float[Tensor, "S P T"]:
    """Return the conductance of every state and position."""
    ids = ctx.prompts.clean
    clean, corrupt = ctx.trace(ids), ctx.trace(ctx.prompts.corrupt)
    start, change = corrupt.embeddings, clean.embeddings - corrupt.embeddings
    total = torch.zeros(ctx.n_sections, *ids.shape, device=ctx.device)
    before = corrupt
    for step in range(steps):
        after = ctx.trace(ids, embeddings=start + (step + 1) / steps * change)
        _, gradients = ctx.gradients(
            ids, embeddings=start + (step + 0.5) / steps * change
        )
        total += (_difference(after, before) * gradients).sum(dim=3)
        before = after
        ctx.progress(step + 1, steps)
    return total


def _difference(after: Trace, before: Trace) -> Float[Tensor, "S P T d"]:
    return torch.stack(after.states) - torch.stack(before.states)
