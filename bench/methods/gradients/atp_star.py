"""AtP*: attribution patching that sees through saturated attention and cancellation.

    mean over dropped blocks of  sum over a section's parts of | effect of the part |

The parts of an attention section are the queries, keys and values of each head, of an
MLP section its write. The effect of values and MLPs is (clean - corrupt) . gradient at
the corrupt run. For queries and keys the attention pattern is computed anew with the
clean query, or with one clean key at a time, and its change multiplied by the gradient
of the pattern (QK fix). Each backward pass drops the gradient through one block's
sections, so that effects that cancel cannot hide each other (GradDrop); the sum over
passes is divided by their number less one, since a block has no effect when dropped.
In a model of one block nothing is dropped.
Kind: write. Cost: 2 F + L (F + B), L the number of blocks.
Source: Kramar et al. 2024 (arXiv 2403.00745). Known failure: absolute values add up
the noise of all parts.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.attention import HeadRun, observed_heads
from bench.models.gradient_scale import scale_gradient
from bench.models.gradients import HeadGradients, head_gradients
from bench.models.run import run
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution
from bench.profiles.sections import SECTIONS_PER_BLOCK

NO_BLOCK = -1


@method("atp-star", kind="write", cost="2 F + S/2 (F + B)")
def atp_star(ctx: TaskContext) -> LayerAttribution:
    """Sum absolute effects of a section's parts under dropped gradients."""
    return ctx.answer(torch.cat(ctx.by_rows(lambda rows: _scores(ctx.some(rows)))))


def _scores(ctx: TaskContext) -> Float[Tensor, "P S"]:
    with observed_heads(ctx.subject) as heads, torch.no_grad():
        clean = run(ctx.subject, ctx.prompts.clean)
    n_blocks = len(ctx.subject.blocks)
    total = torch.zeros(len(ctx.prompts), ctx.n_sections, device=ctx.device)
    if n_blocks == 1:
        return _with_dropped(ctx, clean, heads, NO_BLOCK)
    for dropped in range(n_blocks):
        total += _with_dropped(ctx, clean, heads, dropped)
        ctx.progress(dropped + 1, n_blocks)
    return total / (n_blocks - 1)


def _with_dropped(
    ctx: TaskContext, clean: Trace, clean_heads: list[HeadRun], dropped: int
) -> Float[Tensor, "P S"]:
    ids = ctx.prompts.corrupt
    first = SECTIONS_PER_BLOCK * dropped
    corrupt, gradients, heads = head_gradients(
        ctx.subject,
        ids,
        ctx.metric_of,
        embeddings=ctx.subject.embed(ids),
        edits={first: _drop, first + 1: _drop},
    )
    scores = torch.zeros(len(ids), ctx.n_sections, device=ctx.device)
    for block, (head, other) in enumerate(zip(heads, clean_heads, strict=True)):
        if block == dropped:
            continue
        attention, mlp = SECTIONS_PER_BLOCK * block, SECTIONS_PER_BLOCK * block + 1
        scores[:, attention] = _attention_effects(head, other).abs().sum(dim=(1, 2))
        change = clean.writes[mlp] - corrupt.writes[mlp]
        scores[:, mlp] = (change * gradients[mlp]).sum(dim=(1, 2)).abs()
    return scores


def _drop(write: Tensor, _residual: Tensor) -> Tensor:
    """Cut the gradient off behind a write."""
    return scale_gradient(write, 0.0)


def _attention_effects(
    corrupt: HeadGradients, clean: HeadRun
) -> Float[Tensor, "P three H"]:
    """Return the effects of each head's queries, keys and values."""
    before = corrupt.run
    queries = before.attend(clean.query, before.key) - before.pattern
    values = (clean.value - before.value) * corrupt.value
    return torch.stack(
        [
            (queries * corrupt.pattern).sum(dim=(2, 3)),
            key_effects(before, clean.key, corrupt.pattern).sum(dim=2),
            values.sum(dim=(2, 3)),
        ],
        dim=1,
    )


def key_effects(
    run: HeadRun, keys: Float[Tensor, "B H T k"], gradient: Float[Tensor, "B H T T"]
) -> Float[Tensor, "B H T"]:
    """Return the effect of replacing one key at a time, all others as they are.

    With p the pattern, and r = exp(new score - old score) of key j, the new pattern is
    p_j r / Z at j and p_m / Z elsewhere, Z = 1 + p_j (r - 1).
    """
    p = run.pattern.double()
    gradient = gradient.double()
    old = run.scores(run.query, run.key).double()
    ratio = torch.exp(run.scores(run.query, keys).double() - old)
    normaliser = 1 + p * (ratio - 1)
    own = gradient * p
    others = own.sum(dim=-1, keepdim=True) - own
    change = own * (ratio / normaliser - 1) + others * (1 / normaliser - 1)
    return change.sum(dim=2).to(run.pattern.dtype)
