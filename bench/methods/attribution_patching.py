"""Attribution patching: activation patching to first order.

    sum over all positions of (w of c - w of r) . dM/dw at r

with w a section's write, c the clean and r the corrupt run, M the behaviour. Kind:
write. Cost: two forward passes and one backward.
Source: Nanda 2023, "Attribution patching"; Syed et al. 2023 (arXiv 2310.10348).
Known failure: saturated attention and nonlinear MLPs make the gradient at the corrupt
run a poor guide to a finite change.
"""

from bench.methods.protocol import TaskContext, method
from bench.methods.write_difference import write_difference
from bench.profiles.attribution import LayerAttribution


@method("attribution-patching", kind="write")
def attribution_patching(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the behaviour's gradient."""
    clean = ctx.trace(ctx.prompts.clean)
    corrupt, gradients = ctx.gradients(ctx.prompts.corrupt)
    return ctx.answer((write_difference(clean, corrupt) * gradients).sum(dim=(2, 3)).T)
