"""Count the work of a method in forward-equivalents, independent of hardware."""

from collections.abc import Callable
from functools import cache
from typing import Any

from torch._C import DispatchKey
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.models.behaviour import PromptBatch
from bench.models.run import run
from bench.models.subject import SubjectModel


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
    forward = count_operations(lambda: run(model, batch.clean).logits)
    return count_operations(work) / forward


def count_operations(work: Callable[[], object]) -> int:
    """Return the floating-point operations of some work, by torch's own formulas."""
    counter = _Counter()
    with counter:
        work()
    return counter.total


class _Counter(TorchDispatchMode):
    """Adds up operations.

    torch's FlopCounterMode finds the same total and the share of every module in it,
    which makes methods of many small passes several times slower.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self,
        func: OpOverload[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None and _is_composite(func):
            with self:
                return func.decompose(*args, **options)
        out = func(*args, **options)
        if formula is not None:
            self.total += formula(*args, **options, out_val=out)
        return out


@cache
def _is_composite(func: OpOverload[..., Any]) -> bool:
    """Whether it is made of others, which arrive one by one except in inference."""
    return func.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)
