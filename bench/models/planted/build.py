"""Build a planted model, section by section from the bottom.

Each section's matrices are set by hand; what it writes is then measured on calibration
prompts and scaled to its target length, so that decoys really are as large as the
circuit's own sections.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from bench.models.architectures.registry import find_architecture
from bench.models.planted.heads import (
    Head,
    Reading,
    carry,
    look_back,
    look_for,
)
from bench.models.planted.shells import (
    HEADS,
    MLP_WIDTH,
    POSITIONS,
    empty_model,
    set_attention,
    set_embeddings,
    set_mlp,
)
from bench.models.planted.spaces import (
    OTHER,
    WIDTH,
    Spaces,
    draw_other_codes,
    draw_spaces,
    token_embeddings,
)
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import (
    Placement,
    PlantedRecipe,
    draw_placement,
)

CERTAINTY = 20.0
"""Logit of the copied token in a model whose copy has length 1."""
BALLAST = 1.5
"""Constant part of a write that a norm follows, relative to the rest: without it the
norm would blow up whatever little a section writes where it has nothing to say."""
GATE = 3.0
"""What the constant neuron of a gated MLP receives, as gate and as operand."""
GATED = GATE * float(functional.gelu(torch.tensor(GATE), approximate="tanh"))
"""What it gives: nearly GATE squared."""
OFFSETS = (2, 3, 4, 5, 6)
"""How far back decoy heads look."""


@dataclass
class _Builder:
    """A model under construction."""

    subject: SubjectModel
    spaces: Spaces
    placement: Placement
    ids: Tensor
    rng: np.random.Generator

    @property
    def architecture(self) -> str:
        """The model type."""
        return self.subject.architecture.model_type

    @property
    def sandwiched(self) -> bool:
        """Whether a norm follows what a section computes."""
        return self.architecture == "gemma2"

    def add(self, section: int) -> None:
        """Set the matrices of a section and scale what it writes."""
        reading = self._reading(section)
        block = self.subject.blocks[section // 2]
        if section % 2:
            self._mlp(block, reading)
        else:
            self._attention(block, section, reading)
        self._scale(section)

    def _reading(self, section: int) -> Reading:
        with torch.no_grad():
            point = run(self.subject, self.ids).points[section].double()
        constant = point @ torch.from_numpy(self.spaces.constant)
        length = point.norm(dim=-1).mean().item()
        return Reading(self.spaces, WIDTH**0.5 / length, constant.mean().item())

    def _attention(self, block: nn.Module, section: int, reading: Reading) -> None:
        p, s = POSITIONS[self.architecture], self.spaces
        ballast = BALLAST if self.sandwiched else 0.0
        if section == self.placement.previous:
            looking = look_back(p, reading, offset=1)
            source, target = s.token, s.previous
        elif section in self.placement.induction:
            looking = look_for(p, reading, wanted=s.token, found=s.previous)
            source, target = s.token, s.copied
        else:
            looking = look_back(p, reading, offset=int(self.rng.choice(OFFSETS)))
            into = _rotation(s.moved.shape[1], self.rng)[:, :OTHER]
            source, target = s.other, s.moved @ into
        carried = carry(p, reading, source=source, target=target, ballast=ballast)
        idle = Head(*(np.zeros_like(matrix) for matrix in (*looking, *carried)))
        heads = [Head(*looking, *carried), *[idle] * (HEADS - 1)]
        set_attention(block, heads, is_gpt2=self.architecture == "gpt2")

    def _mlp(self, block: nn.Module, reading: Reading) -> None:
        s = self.spaces
        read = np.concatenate([s.other, s.moved], axis=1)
        rows = self.rng.standard_normal((MLP_WIDTH, read.shape[1])) @ reading.of(read)
        output = s.moved @ self.rng.standard_normal((s.moved.shape[1], MLP_WIDTH))
        if self.sandwiched:
            rows[-2:] = GATE * reading.one
            output[:, -2:] = 0.0
            set_mlp(block, rows, output, is_gpt2=False)
            output /= self._length_before_norm(block)
            # attention adds ballast and the MLP takes it away: it does not pile up
            output[:, -1] = -BALLAST / GATED * self.spaces.ballast[:, 0]
        set_mlp(block, rows, output, is_gpt2=self.architecture == "gpt2")

    def _length_before_norm(self, block: nn.Module) -> float:
        """Measure the length of what the norm after an MLP receives."""
        seen: list[Tensor] = []
        module = block.get_submodule("mlp")
        handle = module.register_forward_hook(
            lambda _m, _i, out: seen.append(cast(Tensor, out))
        )
        try:
            run(self.subject, self.ids)
        finally:
            handle.remove()
        return seen[0].norm(dim=-1).mean().item()

    def _scale(self, section: int) -> None:
        """Scale a section's write to its target length at the copy sites."""
        target = self._target(section)
        module = self.subject.section_modules[section]
        weight = module.get_parameter("weight")
        with torch.no_grad():
            if self.sandwiched:
                length = target * (1 + BALLAST**2) ** 0.5
                weight.fill_(length / WIDTH**0.5 - 1.0)
                return
            write = run(self.subject, self.ids).writes[section]
            second_half = write[:, self.ids.shape[1] // 2 + 1 :]
            weight.mul_(target / second_half.norm(dim=-1).mean())

    def _target(self, section: int) -> float:
        if section in self.placement.induction:
            return self.placement.shares[self.placement.induction.index(section)]
        return 1.0


def _rotation(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]


def build_planted(
    recipe: PlantedRecipe, *, architecture: str, blocks: int
) -> SubjectModel:
    """Build the planted model of a recipe; the seed decides every weight."""
    placement = draw_placement(recipe, blocks=blocks)
    rng = np.random.default_rng([recipe.seed, 1])
    spaces = draw_spaces(rng)
    module: PreTrainedModel = empty_model(architecture, blocks=blocks)
    embeddings = token_embeddings(spaces, draw_other_codes(rng))
    set_embeddings(module, embeddings, spaces, reading=CERTAINTY)
    subject = SubjectModel(module, find_architecture(architecture))
    builder = _Builder(subject, spaces, placement, _calibration_ids(recipe), rng)
    for section in range(2 * blocks):
        builder.add(section)
    return subject


def _calibration_ids(recipe: PlantedRecipe) -> Tensor:
    prompts = draw_prompts(recipe.prompts(discovery=2, reference=17))
    return torch.tensor([prompt.input_ids for prompt in prompts])
