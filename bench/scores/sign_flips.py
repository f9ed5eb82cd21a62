"""Which methods differ by more than the choice of tasks explains.

If two methods are equally good over all tasks that might have been chosen, the sign of
their difference on each task is a toss-up. So the signs are flipped, for all methods
alike, in every possible way, and the largest statistic that this gives is what an
observed one has to exceed: the max-T test of Westfall and Young, with the step-down of
Romano and Wolf (2005). It needs no distribution, is exact for differences that are
symmetric around their mean, and keeps the chance of a single wrong separation of a
method from any of the others below 5 %.

Shapes: M methods, K comparisons, N tasks, F patterns of signs.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from bench.scores.bootstrap import LEVEL

ERROR = 1 - LEVEL
MOST_PATTERNS = 4096
"""Beyond so many patterns, as many are drawn."""


def sign_patterns(n_tasks: int) -> Float[np.ndarray, "F N"]:
    """Return the patterns of signs, the observed one first.

    All 2^(N - 1) of them that leave the first task's sign: the rest mirror them. With
    more than 13 tasks they are drawn, the same in every run.
    """
    n_patterns = 2 ** max(0, n_tasks - 1)
    if n_patterns <= MOST_PATTERNS:
        rest = list(product([1.0, -1.0], repeat=max(0, n_tasks - 1)))
        return np.array([[1.0, *signs] for signs in rest]).reshape(-1, n_tasks)
    rng = np.random.default_rng(n_tasks)
    drawn = rng.choice([1.0, -1.0], size=(MOST_PATTERNS, n_tasks))
    drawn[0] = 1.0
    return drawn


def unanimity(
    differences: Float[np.ndarray, "K N"], patterns: Float[np.ndarray, "F N"]
) -> Float[np.ndarray, "F K"]:
    """Return the statistic of each comparison under each pattern, 0 to 1.

    ``|sum d| / sqrt(N sum d^2)``: 1 if all tasks differ alike. It grows with the paired
    t statistic, and is 0, not undefined, where nothing differs.
    """
    scale = np.sqrt(differences.shape[1] * (differences**2).sum(axis=1))
    scale[scale == 0.0] = 1.0
    return np.abs(patterns @ differences.T) / scale


def separated(differences: Float[np.ndarray, "K N"]) -> Bool[np.ndarray, " K"]:
    """Say which comparisons show a difference, all of them tested together."""
    found: Bool[np.ndarray, " K"] = np.zeros(len(differences), dtype=np.bool_)
    statistics = unanimity(differences, sign_patterns(differences.shape[1]))
    while not np.all(found):
        largest = statistics[:, ~found].max(axis=1)
        new = ~found & (_chances(statistics[0], largest) <= ERROR)
        if not np.any(new):
            break
        found = found | new
    return found


def sign_flip_chance(difference: Float[np.ndarray, " N"]) -> float:
    """Return how often flipped signs give a mean as far from 0, the observed included.

    The two-sided p value of the sign-flip test of one comparison.
    """
    statistics = unanimity(difference[None], sign_patterns(len(difference)))[:, 0]
    return float(_chances(statistics[:1], statistics)[0])


def _chances(
    observed: Float[np.ndarray, " K"], largest: Float[np.ndarray, " F"]
) -> Float[np.ndarray, " K"]:
    """Return the share of patterns whose largest statistic is as large as each."""
    # equal sums may differ in their last digits
    below = np.searchsorted(np.sort(largest), observed - 1e-9)
    return 1.0 - below / len(largest)


def sign_flip_separations(
    values: Float[np.ndarray, "M N"],
) -> Iterator[Bool[np.ndarray, " M"]]:
    """Say for each method in turn which others differ from it.

    A method's comparisons are tested together, those of different methods are not, so
    that the first of two may be separated from the second and not the other way round.
    """
    for own in values:
        yield separated(values - own)
