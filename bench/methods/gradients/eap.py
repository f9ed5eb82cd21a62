"""Edge attribution patching, summed to sections.

    s(u -> v) = sum over all positions of (z of c - z of r) . dM/d(input of v) at r

is the score of the edge from writer u to reader v, with z what u writes, c the clean
and r the corrupt run, M the behaviour, and the derivative taken through v alone.
Writers are the embeddings and the sections; readers are the sections and the logits.

    layer-in            sum over u of s(u -> section)
    layer-in-absolute   sum over u of |s(u -> section)|
    layer-out-absolute  sum over v of |s(section -> v)|

An edge's absolute score is that of its mean over prompts, as in the paper; a prompt
counts with the sign of the mean. The signed sum over edges that leave a section is
attribution patching, which is there under its own name. Kind: write. Cost: two forward
passes and one backward. Source: Syed et al. 2023 (arXiv 2310.10348).
Known failure: that of attribution patching; absolute values besides add up the noise of
all edges.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution
from bench.profiles.sections import SECTIONS_PER_BLOCK


@method("eap-layer-in", kind="write", cost="2 F + 1 B")
def layer_in(ctx: TaskContext) -> LayerAttribution:
    """Sum the scores of the edges into each section."""
    return ctx.answer(edge_scores(ctx).sum(dim=1)[:, :-1])


@method("eap-layer-in-absolute", kind="write", cost="2 F + 1 B")
def layer_in_absolute(ctx: TaskContext) -> LayerAttribution:
    """Sum the absolute scores of the edges into each section."""
    return ctx.answer(_absolute(edge_scores(ctx)).sum(dim=1)[:, :-1])


@method("eap-layer-out-absolute", kind="write", cost="2 F + 1 B")
def layer_out_absolute(ctx: TaskContext) -> LayerAttribution:
    """Sum the absolute scores of the edges out of each section."""
    return ctx.answer(_absolute(edge_scores(ctx)).sum(dim=2)[:, 1:])


def edge_scores(ctx: TaskContext) -> Float[Tensor, "P writers readers"]:
    """Score every edge on every prompt; 0 where there is none.

    Returns:
        Writers are the embeddings, then the sections; readers the sections, then the
        final norm.
    """
    clean = ctx.trace(ctx.prompts.clean)
    corrupt, gradients = ctx.read_gradients(ctx.prompts.corrupt)
    change = torch.stack(
        [
            clean.embeddings - corrupt.embeddings,
            *(w - v for w, v in zip(clean.writes, corrupt.writes, strict=True)),
        ]
    )
    scores = torch.einsum("uptd,vptd->puv", change, gradients)
    return scores * _edges(ctx).to(scores)


def _edges(ctx: TaskContext) -> Float[Tensor, "writers readers"]:
    """Say which edges there are: 1 from each writer to every later reader."""
    n = ctx.n_sections
    edges = torch.ones(n + 1, n + 1).triu()
    if ctx.subject.architecture.parallel:  # an MLP does not read its own block's heads
        for attention in range(0, n, SECTIONS_PER_BLOCK):
            edges[attention + 1, attention + 1] = 0.0
    return edges


def _absolute(
    scores: Float[Tensor, "P writers readers"],
) -> Float[Tensor, "P writers readers"]:
    """Turn scores so that their mean over prompts is positive."""
    return scores * scores.mean(dim=0).sign()
