"""Attention heads by hand: where they look and what they carry.

A head is given in the model's own coordinates. It reads the residual after a norm; the
norm's scale is a number here, since the constant direction keeps it nearly equal over
positions. Scores are the product of query and key, before the division by the square
root of the head's width, which ``Head.query`` makes up for.

Shapes: d width, h head width, k dimensions of a space.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from bench.models.planted.positions import MARGIN, phases, sharpness
from bench.models.planted.spaces import Basis, Spaces

PEAK = 20.0
"""Highest score of a head: well below 50, where Gemma 2 caps the scores."""


Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Head:
    """The four matrices of a head."""

    query: Float[np.ndarray, "h d"]
    key: Float[np.ndarray, "h d"]
    value: Float[np.ndarray, "h d"]
    output: Float[np.ndarray, "d h"]


@dataclass(frozen=True)
class Reading:
    """How a section sees the residual: after its norm, at its depth."""

    spaces: Spaces
    scale: float
    """What the norm multiplies a component of the residual with."""
    constant: float
    """The constant component of the residual, before the norm."""

    def of(self, space: Basis) -> Float[np.ndarray, "_ d"]:
        """Return the map from the normed residual to the components in a space."""
        return space.T / self.scale

    @property
    def one(self) -> Float[np.ndarray, " d"]:
        """Return the map from the normed residual to the number 1."""
        return self.spaces.constant[:, 0] / (self.scale * self.constant)


@runtime_checkable
class Positions(Protocol):
    """How an architecture tells positions apart."""

    @property
    def frequencies(self) -> Float[np.ndarray, " m"]:
        """Return the phases' frequencies."""
        ...

    def query(self, reading: Reading, wanted: np.ndarray) -> np.ndarray:
        """Return the rows [h, d] of a query with these phases [2, m]."""
        ...

    def key(self, reading: Reading) -> np.ndarray:
        """Return the rows [h, d] of the key that phases are compared with."""
        ...

    @property
    def free(self) -> np.ndarray:
        """Return the head dimensions that positions leave alone."""
        ...

    @property
    def head_width(self) -> int:
        """Return h."""
        ...


def look_back(positions: Positions, reading: Reading, *, offset: int) -> Pair:
    """Attend to the position ``offset`` before one's own.

    Returns:
        Query and key, each [h, d].
    """
    factor = sharpness(positions.frequencies, offset)
    query = factor * positions.query(reading, phases(positions.frequencies, offset))
    key = positions.key(reading)
    query[positions.free[0]] = reading.one  # shifts all scores, for the cap's sake
    key[positions.free[0]] = (PEAK - factor * len(positions.frequencies)) * reading.one
    return query, key


def look_for(
    positions: Positions, reading: Reading, *, wanted: Basis, found: Basis
) -> Pair:
    """Attend to where one space holds what another holds here, else to the start.

    Returns:
        Query and key, each [h, d].
    """
    size = wanted.shape[1]
    dims = positions.free[: size + 1]
    query, key = _empty(positions, reading), _empty(positions, reading)
    query[dims[:size]] = 2 * MARGIN * reading.of(wanted)
    key[dims[:size]] = reading.of(found)
    query[dims[size]] = MARGIN * reading.one
    key[dims[size]] = reading.of(reading.spaces.start)[0]
    return query, key


def look_anywhere(positions: Positions, reading: Reading) -> Pair:
    """Attend to all positions alike.

    Returns:
        Query and key, each [h, d].
    """
    return _empty(positions, reading), _empty(positions, reading)


def _empty(positions: Positions, reading: Reading) -> np.ndarray:
    return np.zeros((positions.head_width, len(reading.one)))


def carry(
    positions: Positions,
    reading: Reading,
    *,
    source: Basis,
    target: Basis,
    ballast: float,
) -> Pair:
    """Carry one space to another, and write a constant beside it.

    Args:
        positions: Gives the head's width.
        reading: How the section sees the residual.
        source: The space that is read where the head looks.
        target: The space that is written, of the same number of dimensions.
        ballast: What is added to the ballast direction.

    Returns:
        Value [h, d] and output [d, h].
    """
    size = source.shape[1]
    value = _empty(positions, reading)
    output = np.zeros((value.shape[1], positions.head_width))
    value[:size] = reading.of(source)
    output[:, :size] = target
    value[size] = reading.one
    output[:, size] = ballast * reading.spaces.ballast[:, 0]
    return value, output
