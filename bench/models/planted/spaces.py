"""The residual stream of a planted model, divided into orthogonal spaces.

Shapes: d width, k dimensions of a space, V tokens.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.tasks.planted import ORDINARY_TOKENS

WIDTH = 160
POSITION_PAIRS = 8
"""Cosine and sine pairs of a learned position code, where an architecture has one."""
OTHER = 20
"""Dimensions of what a token says besides its identity; decoys write to some more."""
CONSTANT = 5.0
"""Length of the constant direction, in lengths of a token's code. It keeps the norms of
all positions nearly equal; without it attention breaks as soon as norms vary."""

Basis = Float[np.ndarray, "d _"]


@dataclass(frozen=True)
class Spaces:
    """Orthonormal bases, all orthogonal to the ones that LayerNorm removes."""

    token: Basis
    """The token at this position."""
    previous: Basis
    """The token before it, once the previous-token section has written it."""
    copied: Basis
    """The token to predict, once an induction section has written it."""
    constant: Basis
    start: Basis
    """Marks the beginning of the sequence."""
    position: Basis
    ballast: Basis
    """Where sections write a constant, if a norm follows them."""
    other: Basis
    """What else a token says, with nothing to do with induction."""
    moved: Basis
    """Where decoys write. Only MLPs read it: heads that did would chain, and carry each
    token to so many sites that its copy site hardly stood out."""


def draw_spaces(rng: np.random.Generator) -> Spaces:
    """Draw a random division of the residual stream."""
    random = rng.standard_normal((WIDTH, WIDTH))
    random[:, 0] = 1.0
    basis = np.linalg.qr(random)[0][:, 1:]
    sizes = (ORDINARY_TOKENS,) * 3 + (1, 1, 2 * POSITION_PAIRS, 1, OTHER)
    return Spaces(*np.split(basis, np.cumsum(sizes), axis=1))


def token_embeddings(spaces: Spaces, other: Float[np.ndarray, "V k"]) -> np.ndarray:
    """Build the embeddings [V, d]: a constant, the token's code, its other code.

    The start token has no code but a mark of the same length.
    """
    codes = np.concatenate([spaces.start.T, spaces.token.T])
    return codes + other @ spaces.other.T + CONSTANT * spaces.constant.T


def draw_other_codes(rng: np.random.Generator) -> np.ndarray:
    """Draw what each token says besides its identity, length 1, shape [V, k]."""
    codes = rng.standard_normal((ORDINARY_TOKENS + 1, OTHER))
    return codes / np.linalg.norm(codes, axis=1, keepdims=True)
