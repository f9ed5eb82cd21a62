"""Two ways to follow a perturbation: as a small difference, and as a derivative.

Shapes: B rows, T positions, d width, N residual points.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

Forward = Callable[[Tensor], Tensor]
"""A state at a residual point -> what comes of it."""


@dataclass(frozen=True)
class FiniteDifference:
    """A run of its own at some strength; states are residuals."""

    strength: float
    """Perturbation norm relative to the source's embedding norm."""

    def start(
        self, clean: Float[Tensor, "*at d"], tangent: Float[Tensor, "*at d"]
    ) -> Float[Tensor, "*at d"]:
        """Return the perturbed residual."""
        return clean + self.strength * tangent

    def run(
        self,
        forward: Forward,
        clean: Float[Tensor, "B T d"],
        state: Float[Tensor, "B T d"],
    ) -> Float[Tensor, "*N B T_ d"]:
        """Run the model on the perturbed residual; the clean one is not needed."""
        del clean
        with torch.no_grad():
            return forward(state)

    def change(
        self, found: Float[Tensor, "*at d"], clean: Float[Tensor, "*#at d"]
    ) -> Float[Tensor, "*at d"]:
        """Return the difference to the clean residual, over the strength."""
        return (found - clean).div_(self.strength)


@dataclass(frozen=True)
class Derivative:
    """The limit of strength 0, by forward-mode derivatives; states are tangents."""

    def start(
        self, clean: Float[Tensor, "*at d"], tangent: Float[Tensor, "*at d"]
    ) -> Float[Tensor, "*at d"]:
        """Return the tangent itself."""
        del clean
        return tangent

    def run(
        self,
        forward: Forward,
        clean: Float[Tensor, "B T d"],
        state: Float[Tensor, "B T d"],
    ) -> Float[Tensor, "*N B T_ d"]:
        """Differentiate the model at the clean residual along the tangent."""
        # not torch.func.jvp, which wraps weights that are fetched on the way, too
        with forward_ad.dual_level():
            found = forward_ad.unpack_dual(forward(forward_ad.make_dual(clean, state)))
            tangent = found.tangent
        return torch.zeros_like(found.primal) if tangent is None else tangent

    def change(
        self, found: Float[Tensor, "*at d"], clean: Float[Tensor, "*#at d"]
    ) -> Float[Tensor, "*at d"]:
        """Return the tangent itself."""
        del clean
        return found


Difference = FiniteDifference | Derivative


def difference_at(strength: float | None) -> Difference:
    """Return a finite difference, or the derivative for None."""
    return Derivative() if strength is None else FiniteDifference(strength)
