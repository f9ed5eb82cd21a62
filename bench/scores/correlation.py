"""Correlations: shown beside the overlap, never ranked by.

Pearson's r is blind to an offset: the reference plus 100 scores 1.
"""

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, ScoreSpec, undefined
from bench.scores.shares import NO_REFERENCE, NOT_FINITE

TIED_BELOW = 0.05
"""Sections below this fraction of the peak count as tied before ranking."""

CONSTANT_WITHIN = 1e-12
"""A profile that spreads over no more than this part of its peak is constant."""

PEARSON = ScoreSpec(
    name="pearson",
    better="higher",
    lowest=-1.0,
    highest=1.0,
    unit="r",
    meaning="linear correlation with the reference",
)

SPEARMAN = ScoreSpec(
    name="spearman",
    better="higher",
    lowest=-1.0,
    highest=1.0,
    unit="rho",
    meaning="rank correlation, sections below 5 % of the peak tied",
)

_CONSTANT = "one of the two profiles is constant"


def pearson(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Return the linear correlation; undefined where a profile is constant."""
    if not np.isfinite(attribution).all():
        return undefined(NOT_FINITE)
    if not np.isfinite(reference).all():
        return undefined(NO_REFERENCE)
    a, t = (_standardised(x) for x in (attribution, reference))
    if a is None or t is None:
        return undefined(_CONSTANT)
    return Score(float(np.clip((a * t).sum(), -1.0, 1.0)))


def spearman(
    attribution: Float[np.ndarray, " S"], reference: Float[np.ndarray, " S"]
) -> Score:
    """Return the rank correlation after small sections have been tied."""
    if not np.isfinite(attribution).all():
        return undefined(NOT_FINITE)
    if not np.isfinite(reference).all():
        return undefined(NO_REFERENCE)
    return pearson(_ranks(_tied(attribution)), _ranks(_tied(reference)))


def _standardised(x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"] | None:
    peak = np.abs(x).max(initial=0.0)
    if peak == 0.0:
        return None
    # the peak first: the spread of huge values must not overflow
    scaled = x / peak
    if np.ptp(scaled) <= CONSTANT_WITHIN:
        return None
    centred = scaled - scaled.mean()
    return centred / np.linalg.norm(centred)


def _tied(x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Set what is below 5 % of the peak to 0, negative values included."""
    return np.where(x < TIED_BELOW * x.max(initial=0.0), 0.0, np.clip(x, 0.0, None))


def _ranks(x: Float[np.ndarray, " S"]) -> Float[np.ndarray, " S"]:
    """Rank values from 1, ties sharing their mean rank."""
    below = (x[None, :] < x[:, None]).sum(axis=1)
    equal = (x[None, :] == x[:, None]).sum(axis=1)
    return below + (equal + 1) / 2
