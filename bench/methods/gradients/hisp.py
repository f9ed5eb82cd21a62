"""Head importance (HISP): how much the behaviour hangs on each head's output.

    sum over heads of | sum over positions of z . dM/dz |

with z a head's output before the projection, M the behaviour, and the mean over prompts
taken after the absolute value. 0 for MLP sections, which have no heads. Kind: write.
Cost: one forward pass and one backward. Source: Michel et al. 2019 (arXiv 1905.10650).
Known failure: there is no contrast, and no MLP.
"""

import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.gradients import head_gradients
from bench.profiles.attribution import LayerAttribution


@method("hisp", kind="write", cost="1 F + 1 B")
def hisp(ctx: TaskContext) -> LayerAttribution:
    """Sum the absolute product of each head's output and its gradient."""
    return ctx.answer(torch.cat(ctx.by_rows(lambda rows: _scores(ctx.some(rows)))))


def _scores(ctx: TaskContext) -> Tensor:
    ids = ctx.prompts.clean
    _, _, heads = head_gradients(
        ctx.subject, ids, ctx.metric_of, embeddings=ctx.subject.embed(ids)
    )
    scores = torch.zeros(len(ids), ctx.n_sections, device=ctx.device)
    for block, head in enumerate(heads):
        by_head = (head.run.output * head.output).sum(dim=(1, 3))
        scores[:, 2 * block] = by_head.abs().sum(dim=1)
    return scores
