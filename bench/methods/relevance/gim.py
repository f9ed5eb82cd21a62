"""GIM: attribution patching with gradients that see through self-repair.

    sum over all positions of (w of c - w of r) . g at c

with w a section's write, c the clean and r the corrupt run, and g the backward pass of
the behaviour in which norms are linear with constant statistics, the softmax of
attention is differentiated at half its scores (temperature 2), and gradients of queries
and keys are quartered, those of values halved. Kind: write. Cost: two forward passes
and one backward.
Source: Edin et al. 2025 (arXiv 2505.17630), with the defaults of the authors' package.
Known failure: the factors of queries, keys and values compound over depth, so that
sections far below the logits count less.
"""

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.write_difference import write_difference
from bench.models.attention import AttentionRules
from bench.models.backward_rules import BackwardRules
from bench.profiles.attribution import LayerAttribution

RULES = BackwardRules(
    norms=True,
    attention=AttentionRules(query=0.25, key=0.25, value=0.5, temperature=2.0),
)


@method("gim", kind="write", cost="2 F + 1 B")
def gim(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by the modified gradient."""
    corrupt = ctx.trace(ctx.prompts.corrupt)
    clean, gradients = ctx.gradients(ctx.prompts.clean, rules=RULES)
    return ctx.answer((write_difference(clean, corrupt) * gradients).sum(dim=(2, 3)).T)
