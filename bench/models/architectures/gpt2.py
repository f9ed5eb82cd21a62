"""GPT-2: pre-norm blocks with biases, learned positions, tied embeddings.

Point 0 is the token's embedding plus the position's.
"""

from bench.models.architectures.architecture import Architecture
from bench.models.architectures.norms import frozen_layer_norm

GPT2 = Architecture(
    model_type="gpt2",
    blocks="transformer.h",
    attention_write="attn.c_proj",
    mlp_write="mlp.c_proj",
    attention_read="ln_1",
    mlp_read="ln_2",
    attention_projection="attn.c_proj",
    activation="mlp.act",
    final_norm="transformer.ln_f",
    unembedding="lm_head",
    frozen_norm=frozen_layer_norm,
)
