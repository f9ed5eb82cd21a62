"""How many prompts are measured at once: as many as make runs faster and fit."""

from bench.models.memory import STATES, bytes_available
from bench.models.subject import SubjectModel
from bench.perturbation.source_runs import GROUP

MOST = 32
"""More make no run faster: a batch fills any machine by then."""
SHARE = 0.25
"""Of the free memory; other programs and the reading of responses need some, too."""
CPU_BATCH = 2**21
"""Bytes of a batch's residual on a CPU. Smaller ones have too little work for each
call; larger ones leave the caches, and a fifth of the time goes into fetching pages."""


def prompts_at_once(model: SubjectModel, *, n_sources: int, length: int) -> int:
    """Return how many prompts to measure at once, at least one.

    Args:
        model: The subject model.
        n_sources: Sources of a prompt.
        length: Tokens of a prompt.
    """
    width = model.unembedding.shape[1]
    needed = numbers_per_prompt(
        points=model.n_sections + 1, width=width, n_sources=n_sources, length=length
    )
    itemsize = model.dtype.itemsize
    most = SHARE * bytes_available(str(model.device)) / (needed * itemsize)
    if model.device.type == "cpu":
        residual = min(GROUP, n_sources) * length * width * itemsize
        most = min(most, CPU_BATCH / residual)
    return max(1, min(MOST, int(most)))


def numbers_per_prompt(*, points: int, width: int, n_sources: int, length: int) -> int:
    """Estimate the numbers alive at once for each prompt under an ablation.

    What enters each block in every run is kept, one batch of runs is under way, and
    the clean runs keep points, keys and values.
    """
    entries = points // 2 * n_sources
    batch = STATES * points * min(GROUP, n_sources)
    clean = 2 * 3 * points
    return width * length * (entries + batch + clean)
