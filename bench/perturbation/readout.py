"""Read responses at the pairs of source and site that the probes name.

A readout is a weight for every pair of source and site of a prompt, summing to 1, so
that reading is one weighted sum whatever the prompts look like.

Shapes: P prompts, J sources of a prompt, T positions, R readouts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bench.tasks.prompts import Probe, Prompt

READOUTS = ("copy", "control", "previous", "match", "far")
"""copy: source k and its copy site. control: pairs that hold no correlation. previous:
the site after the source. match: the second occurrence of the source's token. far: the
controls that are out of reach of short-range mixing."""
COPY, CONTROL = READOUTS.index("copy"), READOUTS.index("control")


@dataclass(frozen=True)
class Readouts:
    """Weights of all readouts for a set of prompts."""

    weights: Float[Tensor, "P R J T"]

    def read(self, field: Float[Tensor, "P J depth T"]) -> Float[Tensor, "P R depth"]:
        """Average a field of responses over the pairs of each readout."""
        # at least float32: an average of half-precision numbers is not one itself
        wide = torch.promote_types(field.dtype, self.weights.dtype)
        return torch.einsum("prjt,pjdt->prd", self.weights.to(wide), field.to(wide))

    def first_site(self, readouts: Sequence[int]) -> int:
        """Return the first position that one of some readouts reads."""
        read = self.weights[:, list(readouts)].any(dim=2).any(dim=1).any(dim=0)
        return int(read.int().argmax())

    def rows(self, prompts: slice) -> "Readouts":
        """Take some of the prompts."""
        return Readouts(self.weights[prompts])

    def part(self, sources: slice, start: int) -> "Readouts":
        """Take some sources at the sites from a position on.

        The readouts of all parts add up to those of the whole if no site that is read
        lies before a part's.
        """
        return Readouts(self.weights[:, :, sources, start:])


def build_readouts(prompts: Sequence[Prompt], *, device: torch.device) -> Readouts:
    """Turn the probes of prompts into weights."""
    stacked = np.stack([_prompt_weights(prompt) for prompt in prompts])
    return Readouts(torch.tensor(stacked, dtype=torch.float32, device=device))


def _prompt_weights(prompt: Prompt) -> Float[np.ndarray, "R J T"]:
    row = {position: j for j, position in enumerate(prompt.perturbed)}
    weights = np.zeros((len(READOUTS), len(row), len(prompt.input_ids)))
    for probe in prompt.probes:
        for readout, pairs in enumerate(_pairs(probe)):
            for source, site in pairs:
                share = 1 / (len(pairs) * len(prompt.probes))
                weights[readout, row[source], site] += share
    return weights


def _pairs(probe: Probe) -> Iterable[Sequence[tuple[int, int]]]:
    """List the (source, site) pairs of each readout, in the order of READOUTS."""
    yield [(probe.source, probe.site)]
    yield probe.controls
    yield [(probe.source, probe.previous_site)]
    yield [(probe.source, probe.match_site)]
    yield probe.far_controls
