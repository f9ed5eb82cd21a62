"""Activation patching: move the residual at the copy sites between two runs.

With h the residual after a section, S the copy sites, c the clean and r the corrupt
run, M the behaviour and D = M(c) - M(r):

    denoising  [M(r; h_S <- h_S of c) - M(r)] / D
    noising    [M(c) - M(c; h_S <- h_S of r)] / D

Kind: state. Both runs have the same tokens at the copy sites, so the effect is 0 at the
embeddings and 1 after the last section. Cost: S + 2 forward passes each.
Source: Vig et al. 2020 (arXiv 2004.12265); Heimersheim and Nanda 2024 (2404.15255).
Known failure: patching all positions at once is 1 at every depth, hence the sites.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.methods.protocol import TaskContext, method
from bench.models.trace import Trace, patch_state
from bench.profiles.attribution import LayerAttribution


@method("activation-patching-denoising", kind="state")
def denoising(ctx: TaskContext) -> LayerAttribution:
    """Restore the clean residual at the copy sites of the corrupt run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = _patched_metrics(ctx, ctx.prompts.corrupt, source=clean)
    low, high = _metric(ctx, corrupt), _metric(ctx, clean)
    return ctx.answer((patched - low) / (high - low).mean())


@method("activation-patching-noising", kind="state")
def noising(ctx: TaskContext) -> LayerAttribution:
    """Put the corrupt residual into the copy sites of the clean run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = _patched_metrics(ctx, ctx.prompts.clean, source=corrupt)
    low, high = _metric(ctx, corrupt), _metric(ctx, clean)
    return ctx.answer((high - patched) / (high - low).mean())


def _patched_metrics(
    ctx: TaskContext, ids: Int[Tensor, "P T"], *, source: Trace
) -> Float[Tensor, "P S"]:
    """Measure the behaviour with the state after each section taken from ``source``."""
    mask = ctx.prompts.site_mask
    columns: list[Tensor] = []
    for section, state in enumerate(source.states):
        edit = patch_state(state, mask)
        columns.append(ctx.edited_metric(ids, {section: edit}))
        ctx.progress(section + 1, ctx.n_sections)
    return torch.stack(columns, dim=1)


def _metric(ctx: TaskContext, trace: Trace) -> Float[Tensor, "P 1"]:
    if trace.logits is None:
        raise ValueError("The trace was taken without logits.")
    return ctx.metric(trace.logits)[:, None]
