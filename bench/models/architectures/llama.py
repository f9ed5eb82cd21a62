"""Llama: pre-norm blocks, rotary positions, gated MLP."""

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bench.models.architectures.architecture import Architecture


def frozen_rms_norm(
    norm: nn.Module, residual: Float[Tensor, "*at d"], parts: Float[Tensor, "*more d"]
) -> Float[Tensor, "*more d"]:
    """Scale parts by gamma / sigma, sigma the root mean square of the residual."""
    weight = norm.get_parameter("weight")
    epsilon = cast(float, norm.variance_epsilon)
    mean_square = residual.pow(2).mean(dim=-1, keepdim=True)
    return parts * weight * torch.rsqrt(mean_square + epsilon)


LLAMA = Architecture(
    model_type="llama",
    blocks="model.layers",
    attention_write="self_attn.o_proj",
    mlp_write="mlp.down_proj",
    final_norm="model.norm",
    unembedding="lm_head",
    frozen_norm=frozen_rms_norm,
)
