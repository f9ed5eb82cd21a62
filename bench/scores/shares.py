"""Shares: the positive part of a profile, scaled to sum to 1.

Shapes: S sections.
"""

import numpy as np
from jaxtyping import Bool, Float

from bench.scores.score import Score, undefined

NOT_FINITE = "the attribution has values that are not finite"
NOTHING_POSITIVE = "the attribution is nowhere positive"
NO_REFERENCE = "the reference is nowhere positive or not finite"


def why_undefined(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score | None:
    """Say why the shares of two profiles cannot be compared, or return None."""
    if not np.isfinite(attribution).all():
        return undefined(NOT_FINITE)
    if not (attribution > 0).any():
        return undefined(NOTHING_POSITIVE)
    if not has_shares(reference):
        return undefined(NO_REFERENCE)
    return None


def has_shares(values: Float[np.ndarray, "*batch S"]) -> Bool[np.ndarray, "*batch"]:
    """Whether each profile is finite and somewhere positive."""
    found = np.isfinite(values).all(axis=-1) & (values > 0).any(axis=-1)
    return np.asarray(found)


def shares(values: Float[np.ndarray, "*batch S"]) -> Float[np.ndarray, "*batch S"]:
    """Return the positive part of each profile, scaled to sum to 1.

    Every profile must have a finite positive part; see ``has_shares``.
    """
    positive = np.clip(values, 0.0, None)
    # the peak first: the sum of huge values must not overflow
    scaled = positive / positive.max(axis=-1, keepdims=True)
    return scaled / scaled.sum(axis=-1, keepdims=True)
