"""Noise a state at the copy sites: how much of the behaviour hangs on it by then."""

import torch

from bench.api import LayerAttribution, TaskContext, Trace, method, patch_state

DRAWS = 4
STRENGTH = 0.5  # standard deviations of the state


@method("noised-state", kind="state", cost="4 (S/2 + 1) F + 1 F")
def noised_state(ctx: TaskContext) -> LayerAttribution:
    """Measure what noise after each section costs, the mean over draws."""
    clean = ctx.trace(ctx.prompts.clean)
    total = torch.zeros(len(ctx.prompts), ctx.n_sections, device=ctx.device)
    for draw in range(DRAWS):
        total += lost(ctx, clean) / DRAWS
        ctx.progress(draw + 1, DRAWS)
    return ctx.answer(total)


def lost(ctx: TaskContext, clean: Trace) -> torch.Tensor:
    """Noise one state at a time, all of them in the same direction."""
    ids, mask, shape = ctx.prompts.clean, ctx.prompts.site_mask, clean.embeddings.shape
    noise = torch.randn(shape, generator=ctx.generator, device=ctx.device)
    columns = []
    for section, state in enumerate(clean.states):
        noised = state + STRENGTH * state.std() * noise.to(state)
        edits = {section: patch_state(noised, mask)}
        columns.append(ctx.edited_metric(ids, edits, base=clean))
    return ctx.metric_of(clean)[:, None] - torch.stack(columns, dim=1)
