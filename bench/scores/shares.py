"""Shares: the positive part of a profile, scaled to sum to 1.

Shapes: S sections.
"""

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, undefined

NOT_FINITE = "the attribution has values that are not finite"
NOTHING_POSITIVE = "the attribution is nowhere positive"


def why_undefined(values: Float[np.ndarray, " S"]) -> Score | None:
    """Say why a profile has no shares, or return None if it has."""
    if not np.isfinite(values).all():
        return undefined(NOT_FINITE)
    if not (values > 0).any():
        return undefined(NOTHING_POSITIVE)
    return None


def shares(values: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Return the positive part, scaled to sum to 1.

    The profile must have a finite positive part; see ``why_undefined``.
    """
    positive = np.clip(values, 0.0, None)
    # the peak first: the sum of huge values must not overflow
    scaled = positive / positive.max()
    return scaled / scaled.sum()
