"""Say in a line what an attribution finds of a profile and what it misses."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float

from bench.scores.depth import onset
from bench.scores.recall import main_sections
from bench.scores.shares import shares, why_undefined

FOUND = 0.5
"""A section is missed if it gets less than this part of the share that it has."""
MISPLACED = 0.1
"""Share beyond what the reference has there, from which a section is named."""
MOST_NAMED = 4


def verdict(
    attribution: Float[np.ndarray, " S"],
    reference: Float[np.ndarray, " S"],
    *,
    sections: Sequence[str],
) -> str:
    """Say what of the reference's main sections an attribution finds.

    Args:
        attribution: One number for each section.
        reference: The profile that it is compared with.
        sections: Names of the sections.
    """
    missing = why_undefined(attribution, reference)
    if missing is not None:
        return f"undefined: {missing.undefined}"
    return "; ".join(_parts(shares(attribution), shares(reference), sections))


def _parts(
    own: Float[np.ndarray, " S"],
    target: Float[np.ndarray, " S"],
    sections: Sequence[str],
) -> Iterator[str]:
    late = onset(own) - onset(target)
    wanted = sorted(main_sections(target))
    missed = [sections[s] for s in wanted if own[s] < FOUND * target[s]]
    found = [] if missed else [sections[s] for s in wanted]
    if late == 0:
        yield f"finds {_names(['the onset', *found])}"
    else:
        yield _shifted(late)
        if found:
            yield f"finds {_names(found)}"
    if missed:
        yield f"misses {_names(missed)}"
    surplus = own - target
    # a difference that should be exactly 0.1 may fall short by a rounding error
    misplaced = [s for s in np.argsort(-surplus) if surplus[s] >= MISPLACED - 1e-9]
    if misplaced:
        named = [f"{sections[s]} (+{surplus[s]:.2f})" for s in misplaced]
        yield f"too much on {_names(named)}"


def _shifted(late: int) -> str:
    """Say how many sections too late an attribution sets in."""
    unit = "section" if abs(late) == 1 else "sections"
    return f"sets in {abs(late)} {unit} {'late' if late > 0 else 'early'}"


def _names(names: Sequence[str]) -> str:
    """Name a few, and count the rest."""
    more = len(names) - MOST_NAMED
    if more > 1:
        return f"{', '.join(names[:MOST_NAMED])} and {more} more"
    return ", ".join(names)
