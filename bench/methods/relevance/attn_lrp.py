"""AttnLRP: the relevance of each write by layer-wise relevance propagation.

    sum over all positions of w . g at c

with w a section's write, c the clean run, and g the backward pass of the behaviour in
which norms are linear with constant statistics, activation functions f(x) are x times
the constant f(x) / x, and every product of two activations, gates, query times key,
pattern times value, gives half to each factor. The softmax is differentiated as it is.
Kind: write. Cost: one forward pass and one backward.
Source: Achtibat et al. 2024 (arXiv 2402.05602). Own implementation from the published
rules. Licence note: the authors' package says that the technique is patented, and free
for personal and scientific purposes; ask them before any other use.
Known failure: there is no contrast, so that what a section writes on every prompt
counts as much as what it writes on this one.
"""

import torch

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.attention import AttentionRules
from bench.models.backward_rules import BackwardRules
from bench.profiles.attribution import LayerAttribution

RULES = BackwardRules(
    norms=True,
    activations=True,
    gates=True,
    # half of the pattern's half for each of query and key
    attention=AttentionRules(query=0.25, key=0.25, value=0.5),
)


@method("attn-lrp", kind="write", cost="1 F + 1 B")
def attn_lrp(ctx: TaskContext) -> LayerAttribution:
    """Multiply each write by its relevance coefficient."""
    trace, relevance = ctx.gradients(ctx.prompts.clean, rules=RULES)
    return ctx.answer((torch.stack(trace.writes) * relevance).sum(dim=(2, 3)).T)
