"""Logit lens: the behaviour read off each state as if it were the last.

    M(unembed(norm(h)))

at the copy sites, with h the residual after a section. Kind: state. Cost: one forward
pass. Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
Known failure: states need not be in the unembedding's basis before the last sections.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("logit-lens", kind="state", cost="1 F")
def logit_lens(ctx: TaskContext) -> LayerAttribution:
    """Unembed the state after each section."""
    trace = ctx.trace(ctx.prompts.clean)
    return ctx.answer(torch.stack([read(ctx, h) for h in trace.states], dim=1))


def read(ctx: TaskContext, state: Float[Tensor, "P T d"]) -> Float[Tensor, " P"]:
    """Measure the behaviour as if the state were the last one."""
    with torch.no_grad():
        return ctx.metric_of_normed(ctx.subject.norm(state))
