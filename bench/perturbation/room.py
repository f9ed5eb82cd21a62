"""How many prompts are measured at once: as many as make runs faster and fit."""

from bench.models.memory import GROUP, bytes_available, numbers_per_prompt
from bench.models.subject import SubjectModel

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
