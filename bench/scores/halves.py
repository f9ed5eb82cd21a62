"""Disjoint halves of the prompts: reliability of a reference and the ceiling of scores.

Both speak of prompt noise only; neither is evidence that a reference is valid.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from bench.profiles.promptwise import ProfileName, PromptwiseReference
from bench.scores.correlation import pearson
from bench.scores.overlap import overlap
from bench.scores.score import Score, undefined

N_SPLITS = 100
"""Number of splits into halves. They are part of the definition: the generator below is
fixed, so a reference has one reliability and one ceiling."""

NO_HALVES = "a single prompt has no halves"

Rows = Int[np.ndarray, " n"]


def split_halves(n_prompts: int) -> Iterator[tuple[Rows, Rows]]:
    """Go through the fixed splits of ``n_prompts`` prompts into disjoint halves."""
    rng = np.random.default_rng(0)
    half = n_prompts // 2
    for _ in range(N_SPLITS):
        order = rng.permutation(n_prompts)
        yield order[:half], order[half : 2 * half]


def reliability(reference: PromptwiseReference, name: ProfileName) -> Score:
    """Return the split-half reliability of a profile, stepped up to full length.

    Spearman-Brown: ``2 r / (1 + r)`` with r the mean correlation of the halves.
    """
    if reference.n_prompts // 2 == 0:
        return undefined(NO_HALVES)
    found = [
        pearson(reference.profile(name, one), reference.profile(name, other)).value
        for one, other in split_halves(reference.n_prompts)
    ]
    defined = [r for r in found if r is not None]
    if len(defined) < len(found):
        return undefined("a half of the prompts gives a constant profile")
    r = float(np.mean(defined))
    return Score(2 * r / (1 + r)) if r > 0 else Score(max(-1.0, r))


def ceiling(reference: PromptwiseReference, name: ProfileName) -> Score:
    """Return the mean overlap between the profiles of disjoint halves.

    It is what a second measurement by the same protocol reaches on half the prompts, so
    a method that knew the circuit exactly could score slightly higher.
    """
    if reference.n_prompts // 2 == 0:
        return undefined(NO_HALVES)
    found = [
        overlap(reference.profile(name, one), reference.profile(name, other)).value
        for one, other in split_halves(reference.n_prompts)
    ]
    defined = [value for value in found if value is not None]
    if len(defined) < len(found):
        return undefined("a half of the prompts gives a profile that is not positive")
    return Score(float(np.mean(defined)))
