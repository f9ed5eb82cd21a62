"""Subject models: a transformers module together with where its sections are."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import PreTrainedModel

from bench.models.architectures.architecture import Architecture
from bench.profiles.sections import section_names


@dataclass(frozen=True)
class SubjectModel:
    """The model under study, in evaluation mode, with frozen weights."""

    module: PreTrainedModel
    architecture: Architecture

    @cached_property
    def blocks(self) -> tuple[nn.Module, ...]:
        """The transformer blocks in order of depth."""
        found = self.module.get_submodule(self.architecture.blocks)
        return tuple(cast(nn.ModuleList, found))

    @cached_property
    def section_modules(self) -> tuple[nn.Module, ...]:
        """The modules whose outputs are the sections' writes, in order of depth."""
        places = (self.architecture.attention_write, self.architecture.mlp_write)
        return tuple(
            block.get_submodule(place) for block in self.blocks for place in places
        )

    @cached_property
    def read_modules(self) -> tuple[nn.Module, ...]:
        """The modules whose inputs are read: one for each section, then the last norm.

        What enters a norm before a sublayer is the residual that the section reads.
        """
        places = (self.architecture.attention_read, self.architecture.mlp_read)
        sections = (b.get_submodule(place) for b in self.blocks for place in places)
        return (*sections, self.final_norm)

    @property
    def final_norm(self) -> nn.Module:
        """The norm between the last residual point and the unembedding."""
        return self.module.get_submodule(self.architecture.final_norm)

    @property
    def unembedding(self) -> Float[Tensor, "vocab d"]:
        """The unembedding matrix."""
        return self._unembedding_module.weight

    def read_out(self, residual: Float[Tensor, "*at d"]) -> Float[Tensor, "*at vocab"]:
        """Return the logits that the model gives for a last residual point."""
        return self.unembed(self.norm(residual))

    def norm(self, residual: Float[Tensor, "*at d"]) -> Float[Tensor, "*at d"]:
        """Return what the unembedding reads of a last residual point."""
        return self.final_norm(residual).to(self.device)

    def unembed(self, normed: Float[Tensor, "*at d"]) -> Float[Tensor, "*at vocab"]:
        """Return the logits for what the final norm returned."""
        logits = self._unembedding_module(normed).to(self.device)
        cap = self._logit_cap
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def centred_logits(
        self, normed: Float[Tensor, "*at d"], tokens: Int[Tensor, "*at"]
    ) -> Float[Tensor, "*at"]:
        """Return tokens' logits minus the mean logit.

        Where logits are linear the vocabulary need not be gone through at every
        position: the mean of logits is the logit of the mean row.
        """
        if self._reads_linearly:
            matrix = self.unembedding
            # taken anew each time: nothing tells of weights written to through .data
            directions = matrix[tokens.to(matrix.device)] - matrix.mean(dim=0)
            return (normed * directions.to(normed.device)).sum(dim=-1)
        logits = self.unembed(normed)
        own = logits.gather(-1, tokens[..., None]).squeeze(-1)
        return own - logits.mean(dim=-1)

    @property
    def _reads_linearly(self) -> bool:
        """Whether logits are linear, and the matrix is there."""
        module = self._unembedding_module
        fetched = module.weight.is_meta
        return self._logit_cap is None and module.bias is None and not fetched

    @property
    def _logit_cap(self) -> float | None:
        key = self.architecture.logit_cap
        return None if key is None else getattr(self.module.config, key)

    @property
    def _unembedding_module(self) -> nn.Linear:
        module = self.module.get_submodule(self.architecture.unembedding)
        return cast(nn.Linear, module)

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the model can read."""
        return cast(nn.Embedding, self.module.get_input_embeddings()).num_embeddings

    @property
    def context(self) -> int:
        """Longest prompt that the model can read, in tokens."""
        return cast(int, self.module.config.max_position_embeddings)

    @property
    def n_sections(self) -> int:
        """Number of sections, two a block."""
        return len(self.section_modules)

    @property
    def section_names(self) -> tuple[str, ...]:
        """Names of the sections in order of depth."""
        return section_names(len(self.blocks))

    @property
    def device(self) -> torch.device:
        """The device of the weights; of several, that of the embeddings."""
        found = (weight.device for weight in self.module.parameters())
        # weights that are fetched when they are needed are on no device till then
        return next((d for d in found if d.type != "meta"), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the weights."""
        return self.module.dtype

    def embed(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
        """Return what enters block 0: residual point 0."""
        handle = self.blocks[0].register_forward_pre_hook(_catch)
        try:
            with torch.no_grad():
                self.module.base_model(input_ids=ids, use_cache=False)
        except _Caught as caught:
            return caught.embeddings
        finally:
            handle.remove()
        raise AssertionError("The first block was never reached.")


class _Caught(Exception):  # noqa: N818  (control flow, never seen by a caller)
    """Ends a forward pass once the embeddings are known."""

    def __init__(self, embeddings: Tensor) -> None:
        super().__init__()
        self.embeddings = embeddings


def _catch(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
    raise _Caught(arguments[0])
