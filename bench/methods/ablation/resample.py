"""Resample ablation: the behaviour lost when a section writes as on another prompt.

    M(x) - M(x; w <- w of another repeated prompt)

Kind: write. Cost: S/2 + 1 forward passes. Source: Chan et al. 2022, "Causal
scrubbing". Known failure: the other prompt's write misleads later sections besides
withholding information from them, and one draw is noisier than a mean.
"""

from bench.methods.ablation.drop import ablate
from bench.methods.ablation.others import write_of_another
from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("resample-ablation", kind="write", cost="(S/2 + 1) F")
def resample_ablation(ctx: TaskContext) -> LayerAttribution:
    """Measure the drop of the behaviour with each write from another prompt."""
    return ablate(ctx, write_of_another)
