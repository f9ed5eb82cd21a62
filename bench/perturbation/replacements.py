"""What sections write under an ablation, a few prompts at a time.

Shapes: S sections, P prompts, B some of them, T positions, d width.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.run import run
from bench.perturbation.layout import Bench, no_progress

Replacement = Callable[[slice], Float[Tensor, "S B T d"]]
"""What each section writes instead, for some of the prompts. The clean runs behind it
are made anew each time: they are few beside the perturbed ones, and what they write
would take more memory the more prompts there are."""


def clean_writes(
    bench: Bench, prompts: slice = slice(None), *, further: int = 0
) -> Float[Tensor, "S B T d"]:
    """Run repeated prompts and return every section's write.

    Args:
        bench: The model and all prompts.
        prompts: Which prompts.
        further: How many places further on to take them; the first follows the last.
    """
    ids = bench.batch.clean.roll(-further, dims=0)[prompts]
    with torch.no_grad():
        return torch.stack(run(bench.model, ids).writes)


def given(writes: Float[Tensor, "S P T d"]) -> Replacement:
    """Let sections write what is there already."""
    return lambda prompts: writes[:, prompts]


def mean_of_others(bench: Bench) -> Replacement:
    """Average each section's write, position by position, over all other prompts.

    Pooling over positions instead would carry first-half writes to second-half sites
    and report sections that do not matter.
    """
    sums = bench.by_chunks(
        lambda prompts, _: clean_writes(bench, prompts).sum(dim=1, keepdim=True),
        steps=1,
        progress=no_progress,
    )
    total = torch.stack(sums).sum(dim=0)
    return lambda prompts: (total - clean_writes(bench, prompts)) / (len(bench) - 1)


def resampled(bench: Bench, *, shift: int = 1) -> Replacement:
    """Take each section's write from the prompt ``shift`` places further on."""
    return lambda prompts: clean_writes(bench, prompts, further=shift)
