"""Path patching to the logits: what a write does without passing other sections.

    [M(c) - M(logits of h - (w of c - w of r))] / D

with h the last residual of the clean run at the copy sites, w a section's write, c the
clean and r the corrupt run, M the behaviour and D = M(c) - M(r). All other sections are
frozen at the clean run; the final norm is computed anew, which direct logit attribution
does not do. Kind: write. Cost: two forward passes.
Source: Goldowsky-Dill et al. 2023 (arXiv 2304.05969).
Known failure: blind to sections that act through other sections.
"""

import torch

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.readout.logit_lens import read
from bench.methods.write_difference import write_difference
from bench.profiles.attribution import LayerAttribution


@method("path-patching-direct", kind="write", cost="2 F")
def path_patching_direct(ctx: TaskContext) -> LayerAttribution:
    """Take one write's contrast out of the last residual alone."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    changes = write_difference(clean, corrupt)
    patched = [read(ctx, clean.states[-1] - change) for change in changes]
    lost = ctx.metric_of(clean)[:, None] - torch.stack(patched, dim=1)
    return ctx.answer(lost / ctx.gap(clean, corrupt))
