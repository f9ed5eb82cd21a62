"""Final norms as linear maps: their statistic fixed to that of a given residual."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn


def frozen_rms_norm(
    norm: nn.Module, residual: Float[Tensor, "*at d"], parts: Float[Tensor, "*more d"]
) -> Float[Tensor, "*more d"]:
    """Scale parts by gamma / sigma, sigma the root mean square of the residual."""
    epsilon = cast(float, norm.variance_epsilon)
    return parts * norm.get_parameter("weight") * _inverse_rms(residual, epsilon)


def frozen_gemma_norm(
    norm: nn.Module, residual: Float[Tensor, "*at d"], parts: Float[Tensor, "*more d"]
) -> Float[Tensor, "*more d"]:
    """Do the same for Gemma, whose norms store gamma - 1."""
    epsilon = cast(float, norm.eps)
    return parts * (1 + norm.get_parameter("weight")) * _inverse_rms(residual, epsilon)


def frozen_layer_norm(
    norm: nn.Module, residual: Float[Tensor, "*at d"], parts: Float[Tensor, "*more d"]
) -> Float[Tensor, "*more d"]:
    """Centre parts, and scale them by gamma / sigma of the residual; leave beta out.

    Beta is the same for every residual and belongs to no part of it.
    """
    epsilon = cast(nn.LayerNorm, norm).eps
    centred = parts - parts.mean(dim=-1, keepdim=True)
    deviation = residual - residual.mean(dim=-1, keepdim=True)
    return centred * norm.get_parameter("weight") * _inverse_rms(deviation, epsilon)


def _inverse_rms(
    residual: Float[Tensor, "*at d"], epsilon: float
) -> Float[Tensor, "*at 1"]:
    return torch.rsqrt(residual.pow(2).mean(dim=-1, keepdim=True) + epsilon)
