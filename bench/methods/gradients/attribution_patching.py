"""Attribution patching: write patching to first order.

    denoising  sum over all positions of (w of c - w of r) . dM/dw at r
    noising    sum over all positions of (w of c - w of r) . dM/dw at c

with w a section's write, c the clean and r the corrupt run, M the behaviour. Kind:
write. Cost: two forward passes and one backward. Summed over the edges that leave a
section, signed edge attribution patching is the first of the two.
Source: Nanda 2023, "Attribution patching"; Syed et al. 2023 (arXiv 2310.10348).
Known failure: saturated attention and nonlinear MLPs make the gradient at one run a
poor guide to a finite change.
"""

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.write_difference import write_difference
from bench.profiles.attribution import LayerAttribution


@method("attribution-patching", kind="write", cost="2 F + 1 B")
def attribution_patching(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the gradient at the corrupt run."""
    clean = ctx.trace(ctx.prompts.clean)
    corrupt, gradients = ctx.gradients(ctx.prompts.corrupt)
    return ctx.answer((write_difference(clean, corrupt) * gradients).sum(dim=(2, 3)).T)


@method("attribution-patching-noising", kind="write", cost="2 F + 1 B")
def noising(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the gradient at the clean run."""
    corrupt = ctx.trace(ctx.prompts.corrupt)
    clean, gradients = ctx.gradients(ctx.prompts.clean)
    return ctx.answer((write_difference(clean, corrupt) * gradients).sum(dim=(2, 3)).T)
