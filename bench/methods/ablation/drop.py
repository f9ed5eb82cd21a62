"""The behaviour lost when one section writes something else."""

from collections.abc import Callable

from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.sweep import sweep
from bench.models.edits import replace_write
from bench.profiles.attribution import LayerAttribution


def ablate(ctx: TaskContext, instead: Callable[[Tensor], Tensor]) -> LayerAttribution:
    """Measure the drop of the behaviour with each write replaced.

    Args:
        ctx: The task.
        instead: A write on the clean prompts, [P, T, d], to what replaces it.
    """
    trace = ctx.trace(ctx.prompts.clean)
    ablated = sweep(
        ctx,
        ctx.prompts.clean,
        lambda section: replace_write(instead(trace.writes[section])),
        base=trace,
    )
    return ctx.answer(ctx.metric_of(trace)[:, None] - ablated)
