"""Gemma 2: sandwich norms, capped logits, sliding windows in every other block.

A section's write is what leaves its second norm, which is what the residual stream
receives; the output of the projection before that norm is not. Point 0 holds the scaled
embedding. The unembedding's logits go through ``cap * tanh(logit / cap)``.
"""

from bench.models.architectures.architecture import Architecture
from bench.models.architectures.norms import frozen_gemma_norm

GEMMA2 = Architecture(
    model_type="gemma2",
    blocks="model.layers",
    attention_write="post_attention_layernorm",
    mlp_write="post_feedforward_layernorm",
    attention_read="input_layernorm",
    mlp_read="pre_feedforward_layernorm",
    attention_projection="self_attn.o_proj",
    activation="mlp.act_fn",
    final_norm="model.norm",
    unembedding="lm_head",
    frozen_norm=frozen_gemma_norm,
    gate="mlp.up_proj",
    logit_cap="final_logit_softcapping",
)
