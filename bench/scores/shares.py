"""Shares: the positive part of a profile, scaled to sum to 1.

Shapes: S sections.
"""

import numpy as np
from jaxtyping import Float

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
    if not (np.isfinite(reference).all() and (reference > 0).any()):
        return undefined(NO_REFERENCE)
    return None


def shares(values: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Return the positive part, scaled to sum to 1.

    The profile must have a finite positive part; see ``why_undefined``.
    """
    positive = np.clip(values, 0.0, None)
    # the peak first: the sum of huge values must not overflow
    scaled = positive / positive.max()
    return scaled / scaled.sum()
