"""RelP: attribution patching with relevance propagation in place of the gradient.

    sum over all positions of (w of c - w of r) . g at r

with w a section's write, c the clean and r the corrupt run, and g the backward pass of
the behaviour in which norms are linear with constant statistics (LN rule), activation
functions f(x) are x times the constant f(x) / x (identity rule), the factors of a gated
product get half each (half rule), and attention patterns are constants (AH rule). Kind:
write. Cost: two forward passes and one backward.
Source: Jafari et al. 2025 (arXiv 2508.21258); LN and AH rules: Ali et al. 2022
(2202.07304). Own implementation from the published rules.
Known failure: with constant patterns nothing is attributed to sections that only
decide where later heads look.
"""

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.methods.write_difference import write_difference
from bench.models.attention import AttentionRules
from bench.models.backward_rules import BackwardRules
from bench.profiles.attribution import LayerAttribution

RULES = BackwardRules(
    norms=True,
    activations=True,
    gates=True,
    attention=AttentionRules(freeze_pattern=True),
)


@method("relp", kind="write", cost="2 F + 1 B")
def relp(ctx: TaskContext) -> LayerAttribution:
    """Multiply the change of each write by its relevance coefficient."""
    clean = ctx.trace(ctx.prompts.clean)
    corrupt, relevance = ctx.gradients(ctx.prompts.corrupt, rules=RULES)
    return ctx.answer((write_difference(clean, corrupt) * relevance).sum(dim=(2, 3)).T)
