"""What a run of a subject model went through.

Shapes: B rows, T positions, d width, S sections.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from bench.models.past import NO_PAST, Past, join_pasts


@dataclass(frozen=True)
class Trace:
    """What one run of the model went through."""

    embeddings: Float[Tensor, "B T d"]
    """Residual point 0."""
    writes: tuple[Float[Tensor, "B T d"], ...]
    """The sections' writes after edits, S of them."""
    states: tuple[Float[Tensor, "B T d"], ...]
    """Residual points 1..S: the residual after each section."""
    normed: Float[Tensor, "B T d"]
    """The last state after the final norm, which the unembedding reads."""
    unembed: Callable[[Tensor], Tensor]
    """The model's map from there to logits."""
    past: Past = NO_PAST
    """Keys and values, if they were kept."""

    @cached_property
    def logits(self) -> Float[Tensor, "B T vocab"]:
        """What the run predicts, computed when first asked for."""
        return self.unembed(self.normed)

    @property
    def points(self) -> Float[Tensor, "points B T d"]:
        """All S + 1 residual points."""
        return torch.stack([self.embeddings, *self.states])

    def point(self, number: int) -> Float[Tensor, "B T d"]:
        """Return a residual point, 0 to S."""
        return self.states[number - 1] if number else self.embeddings

    def rows(self, rows: slice) -> "Trace":
        """Return the trace of some of the rows."""
        return self.each(lambda tensor: tensor[rows])

    def detached(self) -> "Trace":
        """Return the trace without the graph it was computed by."""
        return self.each(Tensor.detach)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Trace":
        """Change every tensor of the trace alike."""
        return Trace(
            embeddings=change(self.embeddings),
            writes=tuple(map(change, self.writes)),
            states=tuple(map(change, self.states)),
            normed=change(self.normed),
            unembed=self.unembed,
            past=self.past.each(change),
        )


def join_traces(traces: Sequence[Trace]) -> Trace:
    """Put the traces of consecutive rows together."""
    if len(traces) == 1:
        return traces[0]
    return Trace(
        embeddings=torch.cat([trace.embeddings for trace in traces]),
        writes=tuple(map(torch.cat, zip(*(t.writes for t in traces), strict=True))),
        states=tuple(map(torch.cat, zip(*(t.states for t in traces), strict=True))),
        normed=torch.cat([trace.normed for trace in traces]),
        unembed=traces[0].unembed,
        past=join_pasts([trace.past for trace in traces]),
    )
