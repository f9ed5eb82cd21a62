"""What has to be known of an architecture: where its sections are."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

FrozenNorm = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(norm, residual, parts) -> parts through the norm with the residual's statistic."""


@dataclass(frozen=True)
class Architecture:
    """Places of a transformer's parts, as attribute paths.

    The two writes of a block must add up to what the block adds to the residual
    stream; the contract tests check it on a random model of every architecture.
    """

    model_type: str
    """``model_type`` of the transformers configuration."""
    blocks: str
    """The list of blocks, from the model."""
    attention_write: str
    """The module whose output the attention sublayer adds, from a block."""
    mlp_write: str
    """The module whose output the MLP sublayer adds, from a block."""
    attention_read: str
    """The module whose input the attention sublayer reads, from a block."""
    mlp_read: str
    """The module whose input the MLP sublayer reads, from a block."""
    attention_projection: str
    """The module whose input is the heads' outputs side by side, from a block."""
    activation: str
    """The activation function of the MLP, from a block."""
    final_norm: str
    """The norm before the unembedding, from the model."""
    unembedding: str
    """The linear map to logits, from the model."""
    frozen_norm: FrozenNorm
    """A norm as a linear map; all norms of a model are of one kind."""
    gate: str | None = None
    """The module whose output the activation's is multiplied by, from a block."""
    logit_cap: str | None = None
    """The configuration's key of the value that caps the logits, if one does."""
    parallel: bool = False
    """Whether attention and MLP of a block read the same residual."""
