"""Keys and values of positions that later runs need not compute again.

Attention is causal: what changes at one position leaves all before it as they were.
Shapes: B rows, H heads that keys and values have, T positions, k width of a head.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

KeyValue = tuple[Float[Tensor, "B H T k"], Float[Tensor, "B H T k"]]


@dataclass(frozen=True)
class Past:
    """What the attention of each block keeps of the positions it has seen."""

    blocks: tuple[KeyValue, ...]
    """Keys and values, for each block."""

    def before(self, position: int) -> "Past":
        """Return the past of a run that begins at a position."""
        return self.each(lambda tensor: tensor[:, :, :position])

    def repeated(self, times: int) -> "Past":
        """Return the past of a run that has every row several times in a row."""
        if times == 1:
            return self
        return self.each(lambda tensor: tensor.repeat_interleave(times, dim=0))

    def written_from(
        self, block: int, cache: DynamicCache, *, before: int | None = None
    ) -> "Past":
        """Return this past with what a run has written to a cache from a block on.

        Args:
            block: The first block that has run.
            cache: What it has written to.
            before: Keep what was written before this position; all by default.
        """
        layers = cast(list[DynamicLayer], cache.layers[block:])
        written = Past(
            tuple(
                (cast(Tensor, layer.keys), cast(Tensor, layer.values))
                for layer in layers
            )
        )
        if before is None:
            return Past(self.blocks[:block] + written.blocks)
        # copied, or the rest would stay in memory, too
        kept = written.before(before).each(Tensor.clone)
        return Past(self.before(before).blocks[:block] + kept.blocks)

    def cache(self) -> DynamicCache:
        """Return a cache that a run may go on writing to; the past stays as it is."""
        # without a configuration: a sliding block would forget what it slid over
        return DynamicCache(self.blocks)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Past":
        """Change all keys and values alike."""
        return Past(tuple((change(key), change(value)) for key, value in self.blocks))


NO_PAST = Past(())
"""Before a prompt begins, or where none was kept."""


def join_pasts(pasts: Sequence[Past]) -> Past:
    """Put the pasts of consecutive rows together."""
    by_block = zip(*(past.blocks for past in pasts), strict=True)
    return Past(
        tuple(
            (torch.cat([key for key, _ in rows]), torch.cat([v for _, v in rows]))
            for rows in by_block
        )
    )
