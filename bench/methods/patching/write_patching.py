"""Write patching: move one section's write, at all positions, between two runs.

With w a section's write, c the clean and r the corrupt run, M the behaviour and
D = M(c) - M(r):

    denoising  [M(r; w <- w of c) - M(r)] / D
    noising    [M(c) - M(c; w <- w of r)] / D

This is what attribution patching approximates. Kind: write. Cost: S/2 + 2 forward
passes. Source: Vig et al. 2020 (arXiv 2004.12265), Wang et al. 2022 (2211.00593).
Known failure: denoising finds a section only if the corrupt run leaves the rest of the
circuit in place; a previous-token head restored alone, or any of two heads that need
each other, restores nothing. Noising misses redundant sections.
"""

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.sweep import sweep
from bench.models.edits import replace_write
from bench.profiles.attribution import LayerAttribution


@method("write-patching-denoising", kind="write", cost="(S/2 + 2) F")
def denoising(ctx: TaskContext) -> LayerAttribution:
    """Restore one clean write in the corrupt run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = sweep(
        ctx,
        ctx.prompts.corrupt,
        lambda section: replace_write(clean.writes[section]),
        base=corrupt,
    )
    gained = patched - ctx.metric_of(corrupt)[:, None]
    return ctx.answer(gained / ctx.gap(clean, corrupt))


@method("write-patching-noising", kind="write", cost="(S/2 + 2) F")
def noising(ctx: TaskContext) -> LayerAttribution:
    """Put one corrupt write into the clean run."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = sweep(
        ctx,
        ctx.prompts.clean,
        lambda section: replace_write(corrupt.writes[section]),
        base=clean,
    )
    lost = ctx.metric_of(clean)[:, None] - patched
    return ctx.answer(lost / ctx.gap(clean, corrupt))
