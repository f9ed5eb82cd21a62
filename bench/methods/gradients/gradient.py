"""The gradient at the clean run, alone or times the activation.

    gradient-x-activation  sum over copy sites of h . dM/dh
    gradient-norm          mean over copy sites of |dM/dh|

with h the residual after a section, M the behaviour. Kind: state. Cost: one forward
pass and one backward. Source: Shrikumar et al. 2017 (arXiv 1704.02685); Simonyan et
al. 2013 (1312.6034).
Known failure: there is no contrast, so that what the state holds on every prompt counts
as much as what it holds on this one, and the last state gets 0, since the final norm
is blind to its length. The gradient's length does not even look at what is there.
"""

import torch

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("gradient-x-activation", kind="state", cost="1 F + 1 B")
def gradient_x_activation(ctx: TaskContext) -> LayerAttribution:
    """Multiply each state at the copy sites by its gradient."""
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    products = torch.stack(trace.states) * gradients * ctx.prompts.site_mask
    return ctx.answer(products.sum(dim=(2, 3)).T)


@method("gradient-norm", kind="state", cost="1 F + 1 B")
def gradient_norm(ctx: TaskContext) -> LayerAttribution:
    """Measure the gradient's length at the copy sites."""
    _, gradients = ctx.gradients(ctx.prompts.clean)
    lengths = gradients.norm(dim=3) * ctx.prompts.site_mask[..., 0]
    return ctx.answer((lengths.sum(dim=2) / ctx.prompts.sites.shape[1]).T)
