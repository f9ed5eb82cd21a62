"""Score an answer against the truth of a planted circuit.

Shapes: S sections.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.profiles.attribution import Kind, LayerAttribution, as_writes
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.targets import Nulls, measure_yardstick
from bench.scores.overlap import overlap
from bench.scores.score import Score
from bench.scores.skill import Yardstick, skill

CEILING = 1.0
"""The truth is exact: it can be found fully."""

Truth = Mapping[ProfileName, Float[np.ndarray, " S"]]


@dataclass(frozen=True)
class Grade:
    """How well an answer finds a circuit."""

    overlap: Mapping[ProfileName, Score]
    skill: Mapping[ProfileName, Score]

    @property
    def mean_skill(self) -> Score:
        """The mean of both profiles' skills; undefined if one of them is."""
        scores = [self.skill[name] for name in PROFILES]
        values = [score.value for score in scores if score.value is not None]
        if len(values) < len(scores):
            return next(score for score in scores if score.value is None)
        return Score(float(np.mean(values)))


def grade(
    values: Float[np.ndarray, " S"], *, kind: Kind, truth: Truth, nulls: Nulls
) -> Grade:
    """Score an answer on both profiles.

    Args:
        values: The attribution as the method gave it.
        kind: What it speaks of.
        truth: The profiles that the circuit was built with.
        nulls: Attributions that look at nothing of the behaviour.
    """
    writes = as_writes(LayerAttribution(values=values), kind=kind).values
    overlaps: dict[ProfileName, Score] = {
        name: overlap(writes, truth[name]) for name in PROFILES
    }
    yardsticks: dict[ProfileName, Yardstick] = {
        name: measure_yardstick(nulls, truth[name], ceiling=CEILING)
        for name in PROFILES
    }
    skills: dict[ProfileName, Score] = {
        name: skill(overlaps[name], yardsticks[name]) for name in PROFILES
    }
    return Grade(overlap=overlaps, skill=skills)
