"""How a head finds a position at a fixed offset: a phase that peaks there.

With frequencies f a head that scores ``sum_i cos(f_i (t - s - offset))`` attends from t
to s = t - offset. Rotary positions rotate queries and keys by f t; a model with learned
positions keeps cosines and sines of f t in its residual stream instead.

Shapes: h head width, m pairs, T positions.
"""

import numpy as np
from jaxtyping import Float

LONGEST = 128
"""Prompts up to this many tokens are told apart."""
MARGIN = 12.0
"""By how much the right position's score exceeds every other: e^-12 leaks nothing."""


def phases(frequencies: Float[np.ndarray, " m"], offset: int) -> np.ndarray:
    """Return the query's phases as cosines and minus sines, shape [2, m]."""
    return np.stack([np.cos(frequencies * offset), -np.sin(frequencies * offset)])


def sharpness(frequencies: Float[np.ndarray, " m"], offset: int) -> float:
    """Return the factor at which the score at the offset leads by the margin."""
    distances = np.arange(LONGEST)
    scores = np.cos(np.outer(distances - offset, frequencies)).sum(axis=1)
    others = np.delete(scores, offset)
    return MARGIN / float(scores[offset] - others.max())


def rotary_frequencies(head_width: int, *, base: float) -> np.ndarray:
    """Return the frequencies of rotary positions, fastest first, shape [h / 2]."""
    return base ** (-2 * np.arange(head_width // 2) / head_width)


def code_positions(frequencies: Float[np.ndarray, " m"]) -> np.ndarray:
    """Return cosines, then sines of every position, shape [T, 2 m]."""
    angles = np.outer(np.arange(LONGEST), frequencies)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
