"""Layer integrated gradients: the gradient along a path of the state itself.

    sum over copy sites of (h of c - h of r) . mean over a of dM/dh at h of r + a (...)

with h the residual after a section, c the clean and r the corrupt run, M the behaviour,
and the rest of the corrupt run as it is; a takes five Gauss-Legendre points.
Completeness: with many points it is the effect of patching the state at the copy sites,
M(r; h <- h of c) - M(r). Kind: state. Cost: 2 F + 5 S/4 (F + B), as copy sites lie in
the second half of a prompt.
Source: Sundararajan et al. 2017 (arXiv 1703.01365), applied to layers.
Known failure: activation patching by denoising at many times its cost. Five points are
off from it by a tenth of the largest value on trained models, where attention switches
on the path, and by more on random ones.
"""

import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients.path import integrated_effect
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("layer-integrated-gradients", kind="state", cost="2 F + 5 S/4 (F + B)")
def layer_integrated_gradients(ctx: TaskContext) -> LayerAttribution:
    """Integrate the gradient of the state at the copy sites from corrupt to clean."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    mask, first = ctx.prompts.site_mask, int(ctx.prompts.sites.min())
    columns: list[Tensor] = []
    for section in range(ctx.n_sections):
        change = mask * (clean.states[section] - corrupt.states[section])
        effect = integrated_effect(
            ctx, ctx.prompts.corrupt, section, change, base=corrupt, first=first
        )
        columns.append(effect)
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1))
