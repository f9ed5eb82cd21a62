"""Edge attribution patching with integrated gradients, summed to sections.

    sum over all positions of (w of c - w of r) . mean over a of dM/dw at a

where the run at a starts from the embeddings r + a (c - r), and a takes the m midpoints
(k + 1/2) / m of equal steps from the corrupt to the clean embeddings. Summed over the
edges that leave a section this is the section's attribution. Kind: write. Cost: two
forward passes, and one forward and one backward for each step.
Source: Hanna et al. 2024 (arXiv 2403.17806), "EAP-IG inputs". The published code steps
k / m from k = 0 and never reaches the clean run; midpoints treat both ends alike.
Known failure: the path through mixed embeddings leaves the data distribution.
"""

import torch

from bench.methods.protocol import TaskContext, method
from bench.methods.write_difference import write_difference
from bench.profiles.attribution import LayerAttribution

STEPS = 8


@method("eap-ig", kind="write")
def eap_ig(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the mean gradient along a path."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    change = clean.embeddings - corrupt.embeddings
    total = torch.zeros(())
    for step in range(STEPS):
        start = corrupt.embeddings + (step + 0.5) / STEPS * change
        _, gradients = ctx.gradients(ctx.prompts.clean, embeddings=start)
        total = total.to(gradients) + gradients / STEPS
        ctx.progress(step + 1, STEPS)
    return ctx.answer((write_difference(clean, corrupt) * total).sum(dim=(2, 3)).T)
