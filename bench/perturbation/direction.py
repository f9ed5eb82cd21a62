"""Directions of perturbation: from a token's embedding towards another token's.

Shapes: P prompts, J sources of a prompt, T positions, d width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.errors import UserError
from bench.models.subject import SubjectModel
from bench.tasks.prompts import Prompt


@dataclass(frozen=True)
class Directions:
    """What to perturb in each prompt, and where to."""

    positions: Int[Tensor, "P J"]
    """Perturbed positions, ascending."""
    other_tokens: Int[Tensor, "P J"]
    """The token whose embedding the perturbation points to; never the source's own."""


def draw_directions(
    prompts: Sequence[Prompt], *, seed: int, device: torch.device
) -> Directions:
    """Draw another token for every source, uniform over the prompts' source tokens.

    Raises:
        UserError: All sources hold the same token.
    """
    rng = np.random.default_rng(seed)
    positions = [prompt.perturbed for prompt in prompts]
    pool = np.unique(
        [p.input_ids[j] for p, row in zip(prompts, positions, strict=True) for j in row]
    )
    if len(pool) == 1:
        raise UserError(
            f"Every source of these prompts is token {pool[0]}; a perturbation needs "
            "another token to point to. Use prompts of different tokens."
        )
    others: list[list[int]] = []
    for prompt, row in zip(prompts, positions, strict=True):
        own = np.searchsorted(pool, [prompt.input_ids[j] for j in row])
        # a step of 1 .. n-1 around the pool never lands on the source's own token
        steps = rng.integers(1, len(pool), size=len(row))
        others.append(pool[(own + steps) % len(pool)].tolist())
    return Directions(
        positions=torch.tensor(positions, device=device),
        other_tokens=torch.tensor(others, device=device),
    )


def perturbation_tangents(
    model: SubjectModel,
    ids: Int[Tensor, "P T"],
    embeddings: Float[Tensor, "P T d"],
    directions: Directions,
) -> Float[Tensor, "P J d"]:
    """Return ``|x_0,j| u`` for each source j.

    u is the unit vector from the source token's embedding to the other token's, both as
    they enter block 0 at position j.
    """
    columns: list[Tensor] = []
    every = torch.arange(len(ids), device=ids.device)
    for position, token in zip(
        directions.positions.T, directions.other_tokens.T, strict=True
    ):
        swapped = ids.clone()
        swapped[every, position] = token
        own = embeddings[every, position]
        difference = model.embed(swapped)[every, position] - own
        length = own.norm(dim=-1, keepdim=True)
        columns.append(difference / difference.norm(dim=-1, keepdim=True) * length)
    return torch.stack(columns, dim=1)
