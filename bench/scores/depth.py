"""Scores over depth: where an attribution sets in, how far it lies from the truth."""

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, ScoreSpec
from bench.scores.shares import shares, why_undefined

ONSET_SHARE = 0.1
"""The onset is the first section by which this share has been reached."""

ONSET_ERROR = ScoreSpec(
    name="onset_error",
    better="lower",
    lowest=0.0,
    highest=None,
    unit="sections",
    meaning="distance between the onsets (first tenth of the share)",
)

WASSERSTEIN = ScoreSpec(
    name="wasserstein",
    better="lower",
    lowest=0.0,
    highest=1.0,
    unit="fraction of depth",
    meaning="how far the share would have to be moved through depth",
)


def onset(profile: Float[np.ndarray, " S"]) -> int:
    """Return the first section at which a tenth of the share has been reached."""
    return int(np.searchsorted(np.cumsum(shares(profile)), ONSET_SHARE - 1e-9))


def onset_error(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Return the distance between both onsets in sections."""
    missing = why_undefined(attribution, reference)
    if missing is not None:
        return missing
    return Score(float(abs(onset(attribution) - onset(reference))))


def wasserstein(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Return the Wasserstein-1 distance of the shares, sections 1/S of depth apart."""
    missing = why_undefined(attribution, reference)
    if missing is not None:
        return missing
    gap = np.cumsum(shares(attribution)) - np.cumsum(shares(reference))
    return Score(float(np.abs(gap).sum() / len(gap)))
