"""A trained model that computes the same and looks different.

Nobody can draw a fresh trained model in minutes. But blocks that write next to nothing
can be put between its own, and its tokens can be renamed: the function stays, so that
the reference moves with the blocks, and an answer that was stored fits no longer.

Shapes: S sections of the public model, M of the disguised one.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from bench.models.behaviour import PromptBatch
from bench.models.subject import SubjectModel
from bench.models.weights import ATTENTION

ADDED = 2
"""Blocks that write next to nothing."""
QUIET = 1e-3
"""What they write, relative to the blocks that they are copies of. Not zero: some
methods divide by the length of a write."""
ALLOWED = 0.1
"""Drop of the mean overlap that is not held against a method. Those that read weights
see copies of blocks in the added ones, whatever these write."""
SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")
"""Tokens that keep their names: a configuration says what they are for."""


@dataclass(frozen=True)
class Disguise:
    """A disguised model, its prompts, and where the sections of the public one are."""

    model: SubjectModel
    prompts: PromptBatch
    places: tuple[int, ...]
    """Block of the public model to block of this one."""

    @property
    def kept(self) -> tuple[int, ...]:
        """Section of the public model to section of this one, [S]."""
        return tuple(2 * block + part for block in self.places for part in (0, 1))


def disguise(model: SubjectModel, prompts: PromptBatch, *, seed: int) -> Disguise:
    """Add blocks that write next to nothing, and rename the tokens.

    Args:
        model: A trained model; it is not changed.
        prompts: Its prompts.
        seed: Decides where the blocks come, what they are made from, and the names.
    """
    rng = np.random.default_rng(seed)
    n_blocks = len(model.blocks)
    total = n_blocks + ADDED
    places = sorted(rng.choice(total, size=n_blocks, replace=False).tolist())
    sources = [
        places.index(block) if block in places else int(rng.integers(n_blocks))
        for block in range(total)
    ]
    module = _rebuilt(model, sources)
    subject = SubjectModel(module, model.architecture)
    for block in set(range(total)) - set(places):
        for section in (2 * block, 2 * block + 1):
            _hush(subject.section_modules[section])
    names = _rename(module, prompts, rng)
    renamed = replace(
        prompts,
        clean=names[prompts.clean],
        corrupt=names[prompts.corrupt],
        control=names[prompts.control],
    )
    return Disguise(subject, renamed, tuple(places))


def moved(
    profile: Float[np.ndarray, " S"], kept: Sequence[int], *, n_sections: int
) -> Float[np.ndarray, " M"]:
    """Return a profile of the public model as one of the disguised model."""
    found = np.zeros(n_sections)
    found[list(kept)] = profile
    return found


def _rebuilt(model: SubjectModel, sources: list[int]) -> PreTrainedModel:
    """Build a deeper model of the same parts, a block from each source."""
    config: PreTrainedConfig = deepcopy(model.module.config)
    kinds = getattr(config, "layer_types", None)
    config.num_hidden_layers = len(sources)
    if kinds is not None:
        config.layer_types = [kinds[source] for source in sources]
    with torch.random.fork_rng(devices=[]):  # it draws weights, all replaced below
        built = AutoModelForCausalLM.from_config(
            config, attn_implementation=ATTENTION, dtype=model.dtype
        )
    module = cast(PreTrainedModel, built)
    prefix = f"{model.architecture.blocks}."
    old = model.module.state_dict()
    rest = {name: value for name, value in old.items() if not name.startswith(prefix)}
    for block, source in enumerate(sources):
        own = f"{prefix}{source}."
        rest |= {
            f"{prefix}{block}.{name.removeprefix(own)}": value
            for name, value in old.items()
            if name.startswith(own)
        }
    module.load_state_dict(rest)
    module.eval().requires_grad_(False)
    return module


def _hush(section: nn.Module) -> None:
    """Scale what a section writes; Gemma's norms scale by 1 more than their weight."""
    is_norm = section.get_parameter("weight").ndim == 1
    for name, parameter in section.named_parameters():
        offset = 1.0 if is_norm and name == "weight" else 0.0
        parameter.data.copy_(QUIET * (parameter + offset) - offset)


def _rename(
    module: PreTrainedModel, prompts: PromptBatch, rng: np.random.Generator
) -> Tensor:
    """Permute the tokens; returns the new name of each."""
    inner = cast(nn.Embedding, module.get_input_embeddings()).weight
    outer = cast(nn.Linear, module.get_output_embeddings()).weight
    count = len(inner)
    special = {getattr(module.config, key, None) for key in SPECIAL}
    special |= set(prompts.clean[:, 0].tolist())
    free = np.array([token for token in range(count) if token not in special])
    names = np.arange(count)
    names[free] = rng.permutation(free)
    names_of = torch.from_numpy(names)
    tied = inner.data_ptr() == outer.data_ptr()
    for weight in (inner,) if tied else (inner, outer):
        weight.data[names_of] = weight.data.clone()
    return names_of
