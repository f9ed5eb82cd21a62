"""How much is run at once: as much as makes runs faster and fits."""

from bench.models.memory import GROUP, bytes_available, numbers_per_prompt
from bench.models.subject import SubjectModel

BATCH = 128
"""Rows of a batch. More make no run faster: it fills any machine by then."""
SHARE = 0.25
"""Of the free memory; other programs and the reading of responses need some, too."""
CPU_BATCH = 2**21
"""Bytes of a batch's residual on a CPU. Smaller ones have too little work for each
call; larger ones leave the caches, and a fifth of the time goes into fetching pages."""


def rows_at_once(model: SubjectModel, *, length: int) -> int:
    """Return how many rows a batch should have, at least one.

    Args:
        model: The subject model.
        length: Tokens of a prompt.
    """
    if model.device.type != "cpu":
        return BATCH
    row = length * model.unembedding.shape[1] * model.dtype.itemsize
    return max(1, min(BATCH, CPU_BATCH // row))


def prompts_at_once(model: SubjectModel, *, n_prompts: int, length: int) -> int:
    """Return how many prompts to measure at once, at least one.

    As many as a batch should have rows, if they fit into memory: a batch begins at the
    first of its sources, and one source of each prompt is mostly at one position.

    Args:
        model: The subject model.
        n_prompts: Prompts in all, which are shared out evenly.
        length: Tokens of a prompt.
    """
    needed = model.dtype.itemsize * numbers_per_prompt(
        points=model.n_sections + 1,
        width=model.unembedding.shape[1],
        length=length,
    )
    fit = int(SHARE * bytes_available(str(model.device)) / needed)
    most = max(1, min(fit, rows_at_once(model, length=length)))
    chunks = -(-n_prompts // most)
    return -(-n_prompts // chunks)


def sources_at_once(model: SubjectModel, *, n_prompts: int, length: int) -> int:
    """Return how many sources of a prompt share a batch, at least one.

    Args:
        model: The subject model.
        n_prompts: Prompts measured at once; sources make up for few of them.
        length: Tokens of a prompt.
    """
    return max(1, min(GROUP, rows_at_once(model, length=length) // n_prompts))
