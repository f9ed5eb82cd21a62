"""Llama: pre-norm blocks, rotary positions, gated MLP."""

from bench.models.architectures.architecture import Architecture
from bench.models.architectures.norms import frozen_rms_norm

LLAMA = Architecture(
    model_type="llama",
    blocks="model.layers",
    attention_write="self_attn.o_proj",
    mlp_write="mlp.down_proj",
    attention_read="input_layernorm",
    mlp_read="post_attention_layernorm",
    attention_projection="self_attn.o_proj",
    activation="mlp.act_fn",
    final_norm="model.norm",
    unembedding="lm_head",
    frozen_norm=frozen_rms_norm,
    gate="mlp.up_proj",
)
