"""Activation patching: move the residual at some positions between two runs.

With h the residual after a section, c the clean and r the corrupt run, M the behaviour
and D = M(c) - M(r), both averaged over prompts only in D:

    denoising  [M(r; h_F <- h_F of c) - M(r)] / D
    noising    [M(c) - M(c; h_F <- h_F of r)] / D

F are the copy sites, where both runs have the same tokens: the effect is 0 at the
embeddings and 1 after the last section. At the sources the effect goes the other way,
from that of the sources' embeddings down to 0; there the methods answer with what has
left the sources, the effect at the embeddings minus the effect after the section.

Kind: state. Cost: S/4 + 2 forward passes, S/4 of them for the sweep, which runs only
the blocks after the patch, and those only on the second half of the prompt; S/2 + 3 at
the sources, which lie in the first half.
Source: Vig et al. 2020 (arXiv 2004.12265); Heimersheim and Nanda 2024 (2404.15255).
Known failure: patching every position is 1 at every depth. Patching all positions where
the prompts differ is the other direction at the rest of them, so that sources add
little to copy sites.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.sweep import sweep
from bench.models.edits import patch_state
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution


@method("activation-patching-denoising", kind="state", cost="(S/4 + 2) F")
def denoising(ctx: TaskContext) -> LayerAttribution:
    """Restore the clean residual at the copy sites of the corrupt run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = _patched(ctx, corrupt, clean, into="corrupt", mask=ctx.prompts.site_mask)
    gained = patched - ctx.metric_of(corrupt)[:, None]
    return ctx.answer(gained / ctx.gap(clean, corrupt))


@method("activation-patching-noising", kind="state", cost="(S/4 + 2) F")
def noising(ctx: TaskContext) -> LayerAttribution:
    """Put the corrupt residual into the copy sites of the clean run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = _patched(ctx, clean, corrupt, into="clean", mask=ctx.prompts.site_mask)
    lost = ctx.metric_of(clean)[:, None] - patched
    return ctx.answer(lost / ctx.gap(clean, corrupt))


@method("activation-patching-sources-denoising", kind="state", cost="(S/2 + 3) F")
def sources_denoising(ctx: TaskContext) -> LayerAttribution:
    """Restore the clean residual at the sources: what no longer depends on it."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    mask = ctx.prompts.source_mask
    start = torch.where(mask.bool(), clean.embeddings, corrupt.embeddings)
    at_embeddings = ctx.metric_of(ctx.trace(ctx.prompts.corrupt, embeddings=start))
    patched = _patched(ctx, corrupt, clean, into="corrupt", mask=mask)
    left = at_embeddings[:, None] - patched
    return ctx.answer(left / ctx.gap(clean, corrupt))


@method("activation-patching-sources-noising", kind="state", cost="(S/2 + 3) F")
def sources_noising(ctx: TaskContext) -> LayerAttribution:
    """Put the corrupt residual into the sources: what no longer depends on it."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    mask = ctx.prompts.source_mask
    start = torch.where(mask.bool(), corrupt.embeddings, clean.embeddings)
    at_embeddings = ctx.metric_of(ctx.trace(ctx.prompts.clean, embeddings=start))
    patched = _patched(ctx, clean, corrupt, into="clean", mask=mask)
    left = patched - at_embeddings[:, None]
    return ctx.answer(left / ctx.gap(clean, corrupt))


def _patched(
    ctx: TaskContext,
    base: Trace,
    source: Trace,
    *,
    into: str,
    mask: Float[Tensor, "P T 1"],
) -> Float[Tensor, "P S"]:
    """Measure the behaviour with the state after each section taken from ``source``."""
    ids = ctx.prompts.clean if into == "clean" else ctx.prompts.corrupt
    return sweep(ctx, ids, lambda s: patch_state(source.states[s], mask), base=base)
