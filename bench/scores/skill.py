"""Skill: how much better than trivial, as a part of what could be better."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.scores.score import Score, ScoreSpec, undefined

SMALLEST_ROOM = 0.3
"""A profile with less room between best null and ceiling is shown and not ranked."""

SKILL = ScoreSpec(
    name="skill",
    better="higher",
    lowest=-1.0,
    highest=1.0,
    unit="",
    meaning="(overlap - best null) / (ceiling - best null): 0 trivial, 1 the ceiling",
)


OWN_UNTRAINED = "own-untrained"
"""The null that belongs to one method: its own attribution on an untrained model."""


@dataclass(frozen=True)
class Yardstick:
    """What an overlap is measured against on one profile."""

    nulls: Mapping[str, float]
    """Overlap of each null."""
    ceiling: float

    @property
    def best_null(self) -> tuple[str, float]:
        """Name and overlap of the best null; the first by name among equals."""
        return min(self.nulls.items(), key=lambda item: (-item[1], item[0]))

    @property
    def room(self) -> float:
        """Distance from the best null to the ceiling, the same for every method.

        A method's own null counts against its skill, but does not change the scale:
        with a room of its own a method could blow up its skill, or excuse itself.
        """
        shared = [o for name, o in self.nulls.items() if name != OWN_UNTRAINED]
        return self.ceiling - max(shared, default=0.0)

    @property
    def ranked(self) -> bool:
        """Whether the profile leaves enough room to rank methods on it."""
        return self.room >= SMALLEST_ROOM


def skill(overlap: Score, yardstick: Yardstick) -> Score:
    """Return the skill of an overlap, clipped to [-1, 1]."""
    if overlap.value is None:
        return overlap
    if yardstick.room <= 0:
        return undefined("a null reaches the ceiling, so there is no room for skill")
    raw = (overlap.value - yardstick.best_null[1]) / yardstick.room
    return Score(max(-1.0, min(1.0, raw)))


def skills(
    overlaps: Float[np.ndarray, " B"],
    best_nulls: Float[np.ndarray, " B"],
    room: Float[np.ndarray, " B"],
) -> Float[np.ndarray, " B"]:
    """Return the skill of each overlap; -1, the worst there is, where undefined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = np.clip((overlaps - best_nulls) / room, -1.0, 1.0)
    return np.where((room > 0) & np.isfinite(raw), raw, -1.0)
