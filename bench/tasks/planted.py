"""Planted models as data: a seed says where the circuit is, so the truth is known.

Shapes: S sections.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from bench.profiles.promptwise import ProfileName
from bench.tasks.drawing import RepeatedRandom
from bench.tasks.frozen import FrozenModel

ARCHITECTURES = ("gpt2", "llama", "gemma2")
"""Model types that a circuit can be planted in."""
ORDINARY_TOKENS = 32
"""Token 0 begins a sequence, tokens 1 to 32 are ordinary."""
PERIOD = ORDINARY_TOKENS // 2
"""Tokens of a half: two halves without a token in common use all there are."""


class PlantedRecipe(FrozenModel):
    """All that a planted model depends on."""

    generator: Literal[1] = 1
    """Rises with every change that can move a weight."""
    seed: Annotated[int, Field(ge=0)]
    redundant: bool = False
    """Whether two sections share the copying instead of one doing it alone."""

    @property
    def fewest_blocks(self) -> int:
        """How many blocks the circuit needs, one for each of its sections."""
        return 3 if self.redundant else 2

    def prompts(self, *, discovery: int, reference: int) -> RepeatedRandom:
        """Return the recipe of prompts for the model, drawn by the same seed."""
        return RepeatedRandom(
            kind="repeated-random",
            seed=self.seed,
            period=PERIOD,
            bos=0,
            first_token=1,
            last_token=ORDINARY_TOKENS,
            discovery=discovery,
            reference=reference,
        )


@dataclass(frozen=True)
class Placement:
    """Which sections hold the circuit."""

    previous: int
    """The section that writes each position's previous token."""
    induction: tuple[int, ...]
    """The sections that copy the token after the match, in order of depth."""
    shares: tuple[float, ...]
    """What part of the copy each of them writes; they sum to 1."""

    def truth(self, n_sections: int) -> dict[ProfileName, Float[np.ndarray, " S"]]:
        """Return the profiles that follow from the construction.

        The response at a copy site is written by the induction sections, each its
        share, and lost without the previous-token section or with an induction section
        in proportion to its share.
        """
        emergence = np.zeros(n_sections)
        emergence[list(self.induction)] = self.shares
        composition = emergence.copy()
        composition[self.previous] = 1.0
        return {"emergence": emergence, "composition": composition}


def draw_placement(recipe: PlantedRecipe, *, blocks: int) -> Placement:
    """Draw the circuit's depths, uniform over all orders of distinct blocks.

    Raises:
        ValueError: There are fewer blocks than sections to place.
    """
    needed = recipe.fewest_blocks
    if blocks < needed:
        raise ValueError(f"A planted circuit needs {needed} blocks; found {blocks}.")
    rng = np.random.default_rng([recipe.seed, 0])
    chosen = sorted(rng.choice(blocks, size=needed, replace=False).tolist())
    previous, *induction = (2 * block for block in chosen)
    larger = float(rng.uniform(0.5, 0.75)) if recipe.redundant else 1.0
    shares = (larger, 1.0 - larger) if recipe.redundant else (1.0,)
    return Placement(previous, tuple(induction), shares)
