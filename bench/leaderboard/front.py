"""Which methods nothing cheaper outdoes."""

from collections.abc import Iterable
from typing import NamedTuple


class Candidate(NamedTuple):
    """A method that has both a cost and a skill."""

    method: str
    cost: float
    """In forward-equivalents."""
    skill: float


def on_front(candidates: Iterable[Candidate]) -> frozenset[str]:
    """Name the methods that none is better than for the same cost or less."""
    best = float("-inf")
    found: set[str] = set()
    for candidate in sorted(candidates, key=lambda c: (c.cost, -c.skill)):
        if candidate.skill >= best:
            found.add(candidate.method)
            best = candidate.skill
    return frozenset(found)
