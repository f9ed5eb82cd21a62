"""Count the work of a method in forward-equivalents, independent of hardware."""

from collections.abc import Callable

from torch.utils.flop_counter import FlopCounterMode

from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel
from bench.models.trace import run


def forward_equivalents(
    model: SubjectModel, batch: PromptBatch, work: Callable[[], object]
) -> float:
    """Return the work's floating-point operations over those of one forward pass.

    One forward pass is that of the batch's clean prompts, logits included. Eager
    attention is counted in full; the fused kernels of a CPU would count as zero.

    Args:
        model: The subject model.
        batch: The prompts that the work is done on.
        work: What to count.
    """
    forward = _count(lambda: run(model, batch.clean))
    return _count(work) / forward


def _count(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()
