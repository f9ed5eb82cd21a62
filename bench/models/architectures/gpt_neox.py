"""GPT-NeoX and Pythia: attention and MLP side by side.

Both sections of a block read the residual before the block, and the block adds both
writes at once. A section is still one write. The residual point between the two is a
sum on paper, the residual before the block plus the attention's write: no section reads
it. Replacing that state therefore reaches the MLP of the next block, not of the same.
"""

from bench.models.architectures.architecture import Architecture
from bench.models.architectures.norms import frozen_layer_norm

GPT_NEOX = Architecture(
    model_type="gpt_neox",
    blocks="gpt_neox.layers",
    attention_write="attention.dense",
    mlp_write="mlp.dense_4h_to_h",
    attention_read="input_layernorm",
    mlp_read="post_attention_layernorm",
    attention_projection="attention.dense",
    activation="mlp.act",
    final_norm="gpt_neox.final_layer_norm",
    unembedding="lm_head",
    frozen_norm=frozen_layer_norm,
    parallel=True,
)
