"""Are fresh circuits found as well as public ones?

Public circuits were drawn by the same recipe as fresh ones, so to a method that looks
at the model they are a draw like any other; to one that knows them they are not.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations

import numpy as np
from jaxtyping import Float

from bench.reproduction.circuits import Shape
from bench.results.reproduction_record import CircuitGrade, Gate

LEVEL = 0.01
"""False alarms, at most, over public circuits drawn like the fresh ones."""
ALLOWED = 0.05
"""A smaller drop is not held against a method, however certain it is: public circuits
are few and the same for everybody, and some are a little easier than most. Chosen by
``experiments/0010-reproduction``."""
ROUNDING = 1e-9

Strata = Mapping[Shape, tuple[Sequence[float], Sequence[float]]]
"""Shape to the overlaps on public circuits and on fresh ones."""


def shape_of(circuit: CircuitGrade) -> Shape:
    """Return the shape of a graded circuit."""
    return Shape(circuit.architecture, circuit.blocks, circuit.redundant)


def judge(public: Sequence[CircuitGrade], fresh: Sequence[CircuitGrade]) -> Gate:
    """Compare the mean overlap on public circuits with that on fresh ones, by shape.

    The overlap, not the skill: what a null finds differs from circuit to circuit, and
    is the same for a method that knows a circuit and for one that does not.
    """
    shapes = sorted({shape_of(circuit) for circuit in public})
    strata = {
        shape: (
            [c.mean_overlap for c in public if shape_of(c) == shape],
            [c.mean_overlap for c in fresh if shape_of(c) == shape],
        )
        for shape in shapes
    }
    drop, p = permutation_test(strata)
    return Gate(drop=drop, allowed=ALLOWED, p=p, level=LEVEL)


def permutation_test(strata: Strata) -> tuple[float, float]:
    """Ask how often a choice of circuits would look as public as the public ones do.

    Exact: every choice of as many circuits of a shape as are public, shapes
    independent of each other.

    Returns:
        The mean drop over shapes, and the one-sided p-value.
    """
    drops = [_drops(public, fresh) for public, fresh in strata.values()]
    observed = float(np.mean([found[0] for found in drops]))
    sums = reduce(np.add.outer, drops).ravel() / len(drops)
    return observed, float(np.mean(sums >= observed - ROUNDING))


def _drops(
    public: Sequence[float], fresh: Sequence[float]
) -> Float[np.ndarray, " choices"]:
    """Return the drop of every choice of public circuits, the real one first."""
    pool = np.array([*public, *fresh])
    chosen = np.array(list(combinations(range(len(pool)), len(public))))
    inside = pool[chosen].mean(axis=1)
    rest = (pool.sum() - inside * len(public)) / len(fresh)
    return inside - rest
