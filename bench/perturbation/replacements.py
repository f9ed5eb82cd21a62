"""What a section writes under an ablation.

Shapes: S sections, P prompts, T positions, d width.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.run import run
from bench.perturbation.layout import Bench


def clean_writes(bench: Bench) -> Float[Tensor, "S P T d"]:
    """Run the repeated prompts and return every section's write."""
    with torch.no_grad():
        trace = run(bench.model, bench.batch.clean)
    return torch.stack(trace.writes)


def mean_of_others(writes: Float[Tensor, "S P T d"]) -> Float[Tensor, "S P T d"]:
    """Average each section's write, position by position, over all other prompts.

    Pooling over positions instead would carry first-half writes to second-half sites
    and report sections that do not matter.
    """
    n_prompts = writes.shape[1]
    return (writes.sum(dim=1, keepdim=True) - writes) / (n_prompts - 1)


def resampled(
    writes: Float[Tensor, "S P T d"], *, shift: int = 1
) -> Float[Tensor, "S P T d"]:
    """Take each section's write from the prompt ``shift`` places further on."""
    return writes.roll(-shift, dims=1)
