"""The places that a method may have, of which a rank is the interval.

Shapes: M methods.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float


def places(
    points: Float[np.ndarray, " M"], separations: Iterable[Bool[np.ndarray, " M"]]
) -> list[tuple[int, int]]:
    """Return the best and the worst place of each method.

    Every method that is better beyond doubt takes a place above, every one that is
    worse takes one below.

    Args:
        points: What each method reaches.
        separations: For each method, which others differ from it beyond doubt.
    """
    found: list[tuple[int, int]] = []
    for own, others in zip(points, separations, strict=True):
        above = int((others & (points > own)).sum())
        below = int((others & (points < own)).sum())
        found.append((1 + above, len(points) - below))
    return found
