"""Responses of the residual stream to weak perturbations of single tokens.

Shapes: P prompts, J sources of a prompt, N = S + 1 residual points, T positions.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property

from jaxtyping import Float, Int
from torch import Tensor

TINY = 1e-30  # keeps 0 / 0 at positions before the source at 0


@dataclass(frozen=True)
class Response:
    """How the residual stream answers, per unit of strength (design: section 3).

    The fields are computed when read: reducing all of them costs more than a run.

    Attributes:
        change: Change of the residual, shape [P, J, N, T, d].
        residual: Norm of the unperturbed residual, shape [P, 1, N, T].
        perturbation: Norm of the perturbation, shape [P, J, 1, 1].
    """

    change: Float[Tensor, "P J N T d"]
    residual: Float[Tensor, "P 1 N T"]
    perturbation: Float[Tensor, "P J 1 1"]

    @cached_property
    def size(self) -> Float[Tensor, "P J N T"]:
        """Norm of the change."""
        return self.change.norm(dim=-1)

    @property
    def relative(self) -> Float[Tensor, "P J N T"]:
        """Q: relative change at the site for each relative change at the source."""
        return self.size / self.residual

    @property
    def raw(self) -> Float[Tensor, "P J N T"]:
        """R: absolute change at the site for each absolute change at the source."""
        return self.size / self.perturbation

    @property
    def gain(self) -> Float[Tensor, "P J S T"]:
        """Growth of the change over each section, relative to the residual after it."""
        return self.size.diff(dim=2) / self.residual[:, :, 1:]

    @property
    def additive(self) -> Float[Tensor, "P J S T"]:
        """What each section adds along the final change, in units of Q there."""
        final = self.change[:, :, -1:]
        along = (self.change.diff(dim=2) * final).sum(dim=-1)
        return along / (self.size[:, :, -1:].clamp_min(TINY) * self.residual[:, :, -1:])


@dataclass(frozen=True)
class Probing:
    """One set of prompts made ready for perturbation."""

    ids: Int[Tensor, "P T"]
    embeddings: Float[Tensor, "P T d"]
    positions: Int[Tensor, "P J"]
    """Where each source is, ascending."""
    tangents: Float[Tensor, "P J d"]
    """``|x_0,j| u`` of each source."""

    def rows(self, prompts: slice) -> "Probing":
        """Take some of the prompts."""
        return self._each(lambda tensor: tensor[prompts])

    def sources(self, sources: slice) -> "Probing":
        """Take some of the sources of each prompt."""
        return replace(
            self,
            positions=self.positions[:, sources],
            tangents=self.tangents[:, sources],
        )

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Probing":
        return Probing(*(change(getattr(self, field.name)) for field in fields(self)))

    @property
    def n_sources(self) -> int:
        """Number of sources of a prompt."""
        return self.positions.shape[1]

    def __len__(self) -> int:
        """Return the number of prompts."""
        return len(self.ids)
