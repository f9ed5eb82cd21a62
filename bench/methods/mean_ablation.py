"""Mean ablation: the behaviour lost when a section writes its average.

    M(x) - M(x; w <- mean of w over the other prompts, position by position)

Kind: write. Cost: S + 2 forward passes. Source: Wang et al. 2022 (arXiv 2211.00593).
Known failures: redundant sections hide each other, since each can be missed alone. A
mean pooled over positions carries first-half writes to second-half sites and reports
sections that do not matter; hence position by position.
"""

import torch
from torch import Tensor

from bench.methods.protocol import TaskContext, method
from bench.models.trace import replace_write
from bench.profiles.attribution import LayerAttribution


@method("mean-ablation", kind="write")
def mean_ablation(ctx: TaskContext) -> LayerAttribution:
    """Measure the drop of the behaviour with each write replaced by its mean."""
    trace = ctx.trace(ctx.prompts.clean)
    intact = ctx.edited_metric(ctx.prompts.clean, {})
    columns: list[Tensor] = []
    for section, write in enumerate(trace.writes):
        mean = (write.sum(dim=0, keepdim=True) - write) / (len(write) - 1)
        edit = replace_write(mean)
        columns.append(intact - ctx.edited_metric(ctx.prompts.clean, {section: edit}))
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1))
