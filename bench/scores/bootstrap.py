"""Bootstrap over prompts: how far a score depends on the prompts at hand.

Shapes: B resamples, P prompts, S sections.
"""

import numpy as np
from jaxtyping import Float, Int

N_RESAMPLES = 400
LEVEL = 0.95


def resamples(n_prompts: int, *, stream: int) -> Int[np.ndarray, "B P"]:
    """Draw rows with replacement, the same ones in every run.

    Args:
        n_prompts: Number of prompts to draw from.
        stream: Which sequence of draws, so that two sides vary independently.
    """
    rng = np.random.default_rng([stream, n_prompts])
    return rng.integers(0, n_prompts, size=(N_RESAMPLES, n_prompts))


def percentile_interval(values: Float[np.ndarray, " B"]) -> tuple[float, float]:
    """Return the bounds that hold 95 % of the resampled values."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
