"""Restore one write at the copy sites: the part of the behaviour that comes back."""

import torch

from bench.api import LayerAttribution, TaskContext, method, patch_write


@method("restore-at-sites", kind="write", cost="(S/2 + 3) F")
def restore_at_sites(ctx: TaskContext) -> LayerAttribution:
    """Put each clean write into the copy sites of the corrupt run."""
    ids, mask = ctx.prompts.corrupt, ctx.prompts.site_mask
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ids)
    columns = []
    for section, write in enumerate(clean.writes):
        edits = {section: patch_write(write, mask)}
        columns.append(ctx.edited_metric(ids, edits, base=corrupt))
        ctx.progress(section + 1, ctx.n_sections)
    gained = torch.stack(columns, dim=1) - ctx.metric_of(corrupt)[:, None]
    return ctx.answer(gained / ctx.gap(clean, corrupt))
