"""Edge attribution patching with integrated gradients, summed to sections.

    inputs       sum over positions of (w of c - w of r) . mean over a of dM/dw at a
    activations  the same, with the mean along a path of the section's own write

For inputs the run at a starts from the embeddings r + a (c - r), and a takes the m
midpoints (k + 1/2) / m of equal steps from the corrupt to the clean embeddings. For
activations the corrupt run goes on from the write r + a (c - r) of one section at a
time, and a takes five Gauss-Legendre points. Summed over the edges that leave a section
this is the section's attribution. Kind: write. Cost: two forward passes, and one
forward and one backward for each step (inputs), or for each section and step, from the
section on (activations).
Source: Hanna et al. 2024 (arXiv 2403.17806). The published code for inputs steps k / m
from k = 0 and never reaches the clean run; midpoints treat both ends alike.
Known failure: the path through mixed embeddings leaves the data distribution. That of
activations is write patching by denoising at many times its cost; five points are off
from it where attention switches on the path, on random models by a third.
"""

import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients.path import integrated_effect
from bench.methods.protocol import method
from bench.methods.write_difference import write_difference
from bench.profiles.attribution import LayerAttribution

STEPS = 8


@method("eap-ig", kind="write", cost="2 F + 8 (F + B)")
def eap_ig(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the mean gradient along the inputs' path."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    change = clean.embeddings - corrupt.embeddings
    total = torch.zeros(())
    for step in range(STEPS):
        start = corrupt.embeddings + (step + 0.5) / STEPS * change
        _, gradients = ctx.gradients(ctx.prompts.clean, embeddings=start)
        total = total.to(gradients) + gradients / STEPS
        ctx.progress(step + 1, STEPS)
    return ctx.answer((write_difference(clean, corrupt) * total).sum(dim=(2, 3)).T)


@method("eap-ig-activations", kind="write", cost="2 F + 5 S/2 (F + B)")
def eap_ig_activations(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the mean gradient along its own path."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    change = write_difference(clean, corrupt)
    columns: list[Tensor] = []
    for section in range(ctx.n_sections):
        ids = ctx.prompts.corrupt
        columns.append(
            integrated_effect(ctx, ids, section, change[section], base=corrupt)
        )
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1))
