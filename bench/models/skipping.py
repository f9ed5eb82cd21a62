"""Leave out what a run's reader does not need."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from torch import Tensor, nn

from bench.models.subject import SubjectModel


class _Passed(nn.Module):
    """Stands in for a block that need not run again."""

    def forward(self, states: Tensor, *_: object, **__: object) -> Tensor:
        """Return what came in."""
        return states


@contextmanager
def passing(model: SubjectModel, first: int) -> Generator[None, None, None]:
    """Leave out the blocks before the first, which keep their numbers and masks."""
    blocks = cast(nn.ModuleList, model.module.get_submodule(model.architecture.blocks))
    for number in range(first):
        blocks[number] = _Passed()
    try:
        yield
    finally:
        for number in range(first):
            blocks[number] = model.blocks[number]


@contextmanager
def last_mlp_from(model: SubjectModel, position: int) -> Generator[None, None, None]:
    """Leave out the last block's MLP before a position, where it writes zeros then.

    Nothing reads the earlier positions of the last residual point: attention is over,
    and an MLP sees one position at a time.
    """
    if position == 0:
        yield
        return

    def cut(_module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return (arguments[0][:, position:], *arguments[1:])

    def fill(_module: nn.Module, _arguments: object, write: Tensor) -> Tensor:
        return nn.functional.pad(write, (0, 0, position, 0))

    norm = model.blocks[-1].get_submodule(model.architecture.mlp_read)
    handles = [
        norm.register_forward_pre_hook(cut),
        model.section_modules[-1].register_forward_hook(fill),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
