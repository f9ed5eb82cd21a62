"""Null attributions: trivial ones that look at nothing of the behaviour.

Shapes: S sections, in the order attn 0, mlp 0, attn 1, ...
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from bench.scores.shares import shares

Null = Callable[[int], Float[np.ndarray, " S"]]
"""Number of sections -> attribution."""

BUMP_WIDTH = 1 / 6
"""Standard deviation of the mid-depth bump, in fractions of depth."""

RANDOM = "random"


def constant(n_sections: int) -> Float[np.ndarray, " S"]:
    """Every section alike."""
    return np.ones(n_sections)


def depth_ramp(n_sections: int) -> Float[np.ndarray, " S"]:
    """Later sections more."""
    return np.arange(1, n_sections + 1) / n_sections


def reversed_ramp(n_sections: int) -> Float[np.ndarray, " S"]:
    """Earlier sections more."""
    return depth_ramp(n_sections)[::-1].copy()


def attention_only(n_sections: int) -> Float[np.ndarray, " S"]:
    """Every attention section alike, MLP sections nothing."""
    return (np.arange(n_sections) % 2 == 0).astype(float)


def attention_reversed_ramp(n_sections: int) -> Float[np.ndarray, " S"]:
    """Earlier attention sections more."""
    return attention_only(n_sections) * reversed_ramp(n_sections)


def attention_bump(n_sections: int) -> Float[np.ndarray, " S"]:
    """Attention sections near the middle of the depth more."""
    depth = (np.arange(n_sections) + 0.5) / n_sections
    bump = np.exp(-0.5 * ((depth - 0.5) / BUMP_WIDTH) ** 2)
    return attention_only(n_sections) * bump


ANALYTIC: Mapping[str, Null] = {
    "constant": constant,
    "depth-ramp": depth_ramp,
    "reversed-ramp": reversed_ramp,
    "attention-only": attention_only,
    "attention-reversed-ramp": attention_reversed_ramp,
    "attention-bump": attention_bump,
}
"""The nulls that need nothing but the number of sections."""


def random_overlap(
    reference: Float[np.ndarray, "*batch S"],
) -> Float[np.ndarray, "*batch"]:
    """Return the expected overlap of a random attribution with each profile.

    Random means shares uniform on the simplex (independent exponentials, scaled). A
    share is then Beta(1, S - 1), and ``E min(a, t) = (1 - (1 - t)^S) / S``.
    """
    t = shares(reference)
    n_sections = t.shape[-1]
    return np.asarray(((1 - (1 - t) ** n_sections) / n_sections).sum(axis=-1))


def other_tasks(
    references: Sequence[Float[np.ndarray, " _"]], *, n_sections: int
) -> Float[np.ndarray, " S"] | None:
    """Average the references of other tasks by relative depth.

    Attention and MLP sections are carried over separately, each section's share spread
    evenly over its own stretch of depth. None where there is no other task.
    """
    if not references:
        return None
    moved = [_by_relative_depth(shares(r), n_sections // 2) for r in references]
    return np.mean(moved, axis=0)


def _by_relative_depth(
    profile: Float[np.ndarray, " R"], n_blocks: int
) -> Float[np.ndarray, " S"]:
    result = np.zeros(2 * n_blocks)
    for sublayer in (0, 1):
        share = profile[sublayer::2]
        edges = np.linspace(0.0, 1.0, len(share) + 1)
        cumulated = np.concatenate([[0.0], np.cumsum(share)])
        wanted = np.linspace(0.0, 1.0, n_blocks + 1)
        result[sublayer::2] = np.diff(np.interp(wanted, edges, cumulated))
    return result
