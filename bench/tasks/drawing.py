"""Draw prompts of repeated random tokens, the recipe behind the induction tasks."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from bench.tasks.frozen import FrozenModel
from bench.tasks.prompts import Probe, Prompt, Split

MOST_TOKENS = 10_000_000
"""More than any vocabulary has."""


class RepeatedRandom(FrozenModel):
    """``[BOS] s_1 .. s_N s_1 .. s_N``, the s distinct, uniform over a token range."""

    kind: Literal["repeated-random"]
    seed: Annotated[int, Field(ge=0)]
    period: Annotated[int, Field(ge=8)]
    """N, the length of a half in tokens."""
    bos: Annotated[int, Field(ge=0, lt=MOST_TOKENS)]
    first_token: Annotated[int, Field(ge=0, lt=MOST_TOKENS)]
    """Smallest id of the ordinary tokens."""
    last_token: Annotated[int, Field(ge=0, lt=MOST_TOKENS)]
    """Largest id of the ordinary tokens, inclusive."""
    discovery: Annotated[int, Field(ge=2)]
    """Number of prompts that methods see."""
    reference: Annotated[int, Field(ge=17)]
    """Number of prompts that the reference is measured on."""


def draw_prompts(recipe: RepeatedRandom) -> tuple[Prompt, ...]:
    """Draw all prompts of a recipe; the seed alone decides them.

    Raises:
        ValueError: There are too few ordinary tokens for distinct halves, or the token
            that begins prompts is among them.
    """
    available = recipe.last_token - recipe.first_token + 1
    if available < 2 * recipe.period:
        raise ValueError(
            f"Two fresh halves of {recipe.period} distinct tokens need "
            f"{2 * recipe.period} ordinary tokens; the range holds {available}. "
            "Choose a smaller period or more tokens."
        )
    if recipe.first_token <= recipe.bos <= recipe.last_token:
        raise ValueError(
            f"Token {recipe.bos} begins the prompts and lies among the ordinary tokens "
            f"{recipe.first_token} to {recipe.last_token}. Choose a range without it."
        )
    rng = np.random.default_rng(recipe.seed)
    return tuple(
        _draw_prompt(recipe, rng, split=split, number=number)
        for split, count in _splits(recipe)
        for number in range(count)
    )


def _splits(recipe: RepeatedRandom) -> Iterator[tuple[Split, int]]:
    yield "discovery", recipe.discovery
    yield "reference", recipe.reference


def _draw_prompt(
    recipe: RepeatedRandom, rng: np.random.Generator, *, split: Split, number: int
) -> Prompt:
    available = np.arange(recipe.first_token, recipe.last_token + 1)
    drawn = rng.choice(available, size=2 * recipe.period, replace=False).tolist()
    half, fresh = drawn[: recipe.period], drawn[recipe.period :]
    return Prompt(
        id=f"{split}-{number:03d}",
        split=split,
        input_ids=(recipe.bos, *half, *half),
        control_ids=(recipe.bos, *half, *fresh),
        corrupt_ids=(recipe.bos, *fresh, *half),
        probes=repeated_probes(recipe.period),
    )


def repeated_probes(period: int) -> tuple[Probe, ...]:
    """Build the probes of ``[BOS] s s``: sources k = 2..N at positions k.

    The copy site of k is the second occurrence of s_(k-1), position N + k - 1. Its
    controls are the other second-half sites except the two after it: those hold the
    source's own second occurrence and what follows it.
    """
    second_half = range(period + 1, 2 * period + 1)
    probes: list[Probe] = []
    for source in range(2, period + 1):
        site = period + source - 1
        controls = tuple(
            (source, other) for other in second_half if not site <= other <= site + 2
        )
        probes.append(
            Probe(
                source=source,
                site=site,
                controls=controls,
                previous_site=source + 1,
                match_site=period + source,
            )
        )
    return tuple(probes)
