"""One run for each section, with an edit of that section alone."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.methods.context import TaskContext
from bench.models.edits import Edit
from bench.models.trace import Trace


def sweep(
    ctx: TaskContext,
    ids: Int[Tensor, "P T"],
    edit: Callable[[int], Edit],
    *,
    base: Trace,
) -> Float[Tensor, "P S"]:
    """Measure the behaviour with each section edited, one after the other.

    Args:
        ctx: The task.
        ids: The prompts that are run.
        edit: Section number to the edit of its write.
        base: The trace of these prompts without edits.
    """
    columns: list[Tensor] = []
    for section in range(ctx.n_sections):
        columns.append(ctx.edited_metric(ids, {section: edit(section)}, base=base))
        ctx.progress(section + 1, ctx.n_sections)
    return torch.stack(columns, dim=1)
