"""Mean ablation: the behaviour lost when a section writes its average.

    M(x) - M(x; w <- mean of w over the other prompts, position by position)

Kind: write. Cost: S/2 + 1 forward passes. Source: Wang et al. 2022 (2211.00593).
Known failures: redundant sections hide each other, since each can be missed alone. A
mean pooled over positions carries first-half writes to second-half sites and reports
sections that do not matter; hence position by position.
"""

from bench.methods.ablation.drop import ablate
from bench.methods.ablation.others import mean_of_others
from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("mean-ablation", kind="write", cost="(S/2 + 1) F")
def mean_ablation(ctx: TaskContext) -> LayerAttribution:
    """Measure the drop of the behaviour with each write replaced by its mean."""
    return ablate(ctx, mean_of_others)
