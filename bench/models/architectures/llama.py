"""Llama: pre-norm blocks, rotary positions, gated MLP."""

from bench.models.architectures.architecture import Architecture
from bench.models.architectures.norms import frozen_rms_norm

LLAMA = Architecture(
    model_type="llama",
    blocks="model.layers",
    attention_write="self_attn.o_proj",
    mlp_write="mlp.down_proj",
    final_norm="model.norm",
    unembedding="lm_head",
    frozen_norm=frozen_rms_norm,
)
