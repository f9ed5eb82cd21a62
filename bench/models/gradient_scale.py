"""Tensors whose values stay and whose gradients change."""

from jaxtyping import Float
from torch import Tensor


def with_slope(
    value: Float[Tensor, "*shape"], path: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Return ``value`` with the gradient of ``path``."""
    return value.detach() + (path - path.detach())


def scale_gradient(
    value: Float[Tensor, "*shape"], factor: float
) -> Float[Tensor, "*shape"]:
    """Multiply the gradient that passes through a tensor."""
    return value if factor == 1.0 else with_slope(value, factor * value)
