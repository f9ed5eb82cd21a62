"""Direct logit attribution: what each write adds to the behaviour without detours.

    (w * gamma / sigma) . (U[y] - mean U)

at the copy sites, averaged, with gamma and sigma the final norm's weight and its
statistic on the clean run, U the unembedding and y the target. Kind: write. Cost: one
forward pass. The sections' values, the embeddings' and any bias terms sum to the
centred logit. Source: Elhage et al. 2021, "A mathematical framework for transformer
circuits". Known failure: blind to sections that act through other sections.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution


@method("direct-logit-attribution", kind="write", cost="1 F")
def direct_logit_attribution(ctx: TaskContext) -> LayerAttribution:
    """Project each write onto the target's direction in logit space."""
    trace = ctx.trace(ctx.prompts.clean)
    return ctx.answer(projections(ctx, trace, torch.stack(trace.writes)).T)


def projections(
    ctx: TaskContext, trace: Trace, parts: Float[Tensor, "parts P T d"]
) -> Float[Tensor, "parts P"]:
    """Project parts of the last residual onto the target's centred logit.

    The final norm is linear once its statistic is fixed to the whole residual's, so
    parts that sum to the residual have projections that sum to the centred logit.
    """
    sites = ctx.prompts.sites
    rows = torch.arange(len(sites), device=sites.device)[:, None]
    normed = ctx.subject.architecture.frozen_norm(
        ctx.subject.final_norm, trace.states[-1][rows, sites], parts[:, rows, sites]
    )
    unembedding = ctx.subject.unembedding
    direction = unembedding[ctx.prompts.targets] - unembedding.mean(dim=0)
    return (normed * direction).sum(dim=-1).mean(dim=-1)
