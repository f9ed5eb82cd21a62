"""Edits of a section's write, made while the model runs.

Shapes: B rows, T positions, d width.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Edit = Callable[[Tensor, Tensor], Tensor]
"""(a section's write, the residual before it) -> what to write instead."""


@dataclass(frozen=True)
class RowEdit:
    """An edit that knows which of its values belong to which rows of a batch.

    An edit that holds values of each prompt has to be one, or it would not fit when
    the prompts are run a few at a time.
    """

    rule: Callable[..., Tensor]
    """(write, residual, *values) -> what to write instead."""
    values: tuple[Tensor, ...]
    """Each of one row a prompt, or of a single row for all."""
    first: int = 0
    """No position before this one is changed. If it is not 0, the second axis of every
    value is positions."""

    def __call__(self, write: Tensor, residual: Tensor) -> Tensor:
        """Apply the rule."""
        return self.rule(write, residual, *self.values)

    def rows(self, rows: slice) -> "RowEdit":
        """Return the same edit for some of the rows."""
        return replace(self, values=tuple(take_rows(v, rows) for v in self.values))

    def after(self, start: int) -> "RowEdit":
        """Return the same edit for runs that begin at a position, at most ``first``."""
        values = tuple(v[:, start:] for v in self.values) if start else self.values
        return replace(self, values=values, first=self.first - start)


def take_rows(value: Tensor, rows: slice) -> Tensor:
    """Take rows of a tensor; one row stands for all."""
    return value if len(value) == 1 else value[rows]


def edit_rows(edit: Edit, rows: slice) -> Edit:
    """Return an edit for some of the rows; plain functions are the same for all."""
    return edit.rows(rows) if isinstance(edit, RowEdit) else edit


def first_changed(edit: Edit) -> int:
    """Return a position before which an edit leaves everything as it is."""
    return edit.first if isinstance(edit, RowEdit) else 0


def edit_after(edit: Edit, start: int) -> Edit:
    """Return an edit for runs that begin at a position before what it changes."""
    return edit.after(start) if isinstance(edit, RowEdit) else edit


def replace_write(value: Float[Tensor, "#B #T d"]) -> RowEdit:
    """Make an edit that writes ``value`` instead."""
    return RowEdit(lambda write, _residual, v: v.expand_as(write), (value,))


def patch_write(
    value: Float[Tensor, "#B T d"], mask: Shaped[Tensor, "#B T 1"]
) -> RowEdit:
    """Make an edit that writes ``value`` where the mask is 1."""
    return RowEdit(
        lambda write, _residual, v, m: torch.where(m.bool(), v, write),
        (value, mask),
        first=_first(mask),
    )


def patch_state(
    value: Float[Tensor, "#B T d"], mask: Shaped[Tensor, "#B T 1"]
) -> RowEdit:
    """Make an edit after which the residual is ``value`` where the mask is 1."""
    return RowEdit(
        lambda write, residual, v, m: torch.where(m.bool(), v - residual, write),
        (value, mask),
        first=_first(mask),
    )


def replace_state(value: Float[Tensor, "#B T d"], *, first: int = 0) -> RowEdit:
    """Make an edit after which the residual is ``value`` from a position on.

    Runs of all positions are given ``value`` before it, too: it has to be the residual
    that is there anyway.
    """
    return RowEdit(lambda _write, residual, v: v - residual, (value,), first=first)


def _first(mask: Shaped[Tensor, "#B T 1"]) -> int:
    """Return the first position where a mask is not 0; 0 if it is 0 throughout."""
    return int(mask.bool().any(dim=0).any(dim=-1).int().argmax())
