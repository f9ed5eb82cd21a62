"""Overlap, the primary score: the share of an attribution on the right sections."""

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, ScoreSpec
from bench.scores.shares import has_shares, shares, why_undefined

OVERLAP = ScoreSpec(
    name="overlap",
    better="higher",
    lowest=0.0,
    highest=1.0,
    unit="share",
    meaning="share of the attribution that lies on the right sections",
)


def overlap(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Sum the smaller of both shares over all sections.

    1 when both are proportional, 0 when they share no section. Blind to positive scale;
    an offset costs; negative parts count as nothing. It equals one minus the total
    variation distance of the shares.
    """
    missing = why_undefined(attribution, reference)
    if missing is not None:
        return missing
    both = np.minimum(shares(attribution), shares(reference))
    return Score(min(1.0, float(both.sum())))


def overlaps(
    attributions: Float[np.ndarray, "B S"], references: Float[np.ndarray, "B S"]
) -> Float[np.ndarray, " B"]:
    """Return the overlap of each pair of rows; NaN where it is undefined."""
    defined = has_shares(attributions) & has_shares(references)
    found = np.full(len(references), np.nan)
    both = np.minimum(shares(attributions[defined]), shares(references[defined]))
    found[defined] = np.minimum(1.0, both.sum(axis=1))
    return found
