"""Zero ablation: the behaviour lost when a section writes nothing.

    M(x) - M(x; w <- 0)

Kind: write. Cost: S/2 + 1 forward passes. Source: Michel et al. 2019 (1905.10650).
Known failure: zero is far from anything that the section writes, so that later sections
break for lack of its constant part too.
"""

import torch

from bench.methods.ablation.drop import ablate
from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("zero-ablation", kind="write", cost="(S/2 + 1) F")
def zero_ablation(ctx: TaskContext) -> LayerAttribution:
    """Measure the drop of the behaviour without each write."""
    return ablate(ctx, torch.zeros_like)
