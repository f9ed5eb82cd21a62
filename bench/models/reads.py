"""What each section reads from the residual stream, with its own gradient.

Shapes: B rows, T positions, d width, S sections.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

from bench.models.subject import SubjectModel


@contextmanager
def separate_reads(
    model: SubjectModel,
) -> Generator[dict[int, Tensor], None, None]:
    """Give every section, and the final norm, a copy of the residual of its own.

    The gradient of a copy says what a change of the residual does through this reader
    alone, and so what an edge into it is worth.

    Yields:
        Reader to its copy, filled as the model runs; reader S is the final norm.
    """
    copies: dict[int, Tensor] = {}
    handles = [
        module.register_forward_pre_hook(partial(_separate, copies, reader))
        for reader, module in enumerate(model.read_modules)
    ]
    try:
        yield copies
    finally:
        for handle in handles:
            handle.remove()


def _separate(
    copies: dict[int, Tensor],
    reader: int,
    _module: nn.Module,
    arguments: tuple[Any, ...],
) -> tuple[Any, ...]:
    copies[reader] = arguments[0].clone()
    return (copies[reader], *arguments[1:])
