"""Scores: a number with a direction and bounds, or a reason why there is none."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal


@dataclass(frozen=True)
class Score:
    """A value, or the reason why it is undefined; never both, never neither."""

    value: float | None
    undefined: str | None = None

    def __post_init__(self) -> None:
        """Refuse a score that is both or neither, and one that is no number."""
        if (self.value is None) == (self.undefined is None):
            raise ValueError("A score has either a value or a reason, not both.")
        if self.value is not None and not isfinite(self.value):
            raise ValueError(f"A score is finite or undefined, not {self.value}.")


@dataclass(frozen=True)
class ScoreSpec:
    """What a score is called, which way is better, and how far it can go."""

    name: str
    better: Literal["higher", "lower"]
    lowest: float
    highest: float | None
    """None where the bound depends on the number of sections."""
    unit: str
    meaning: str


def undefined(reason: str) -> Score:
    """Return a score that has no value."""
    return Score(value=None, undefined=reason)
