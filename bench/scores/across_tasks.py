"""Means over tasks, with what tasks drawn from the same families would have changed.

Tasks count alike within a family and families alike. There are few of them, where the
percentile bootstrap covers too little (``experiments/0007-ranking``), so intervals are
Student's t.

Shapes: N tasks.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bench.scores.bootstrap import LEVEL

Family = Float[np.ndarray, " _"]


def family_mean(families: Sequence[Family]) -> float:
    """Average each family, then the families."""
    return float(np.mean([family.mean() for family in families]))


def task_weights(sizes: Sequence[int]) -> Float[np.ndarray, " N"]:
    """Return the weight of every task in the mean, family after family; they add to 1.

    Args:
        sizes: Number of tasks in each family.
    """
    return np.concatenate([np.full(n, 1.0 / (n * len(sizes))) for n in sizes])


def student_interval(families: Sequence[Family]) -> tuple[float, float] | None:
    """Return the 95 % interval of the mean; None if a family has a single task.

    Families vary independently, so that the squared errors of their means add up, with
    the degrees of freedom of Welch and Satterthwaite. With one family it is the
    interval of a one-sample t-test.
    """
    spare = np.array([len(family) - 1 for family in families])
    if not families or (spare < 1).any():
        return None
    mean = family_mean(families)
    parts = np.array([f.var(ddof=1) / (len(f) * len(families) ** 2) for f in families])
    variance = parts.sum()
    if variance == 0.0:
        return mean, mean
    freedom = float(variance**2 / (parts**2 / spare).sum())
    half = _quantile(freedom) * float(np.sqrt(variance))
    return mean - half, mean + half


def _quantile(freedom: float) -> float:
    from scipy.stats import t  # noqa: PLC0415  (half a second to import)

    return float(t.ppf((1 + LEVEL) / 2, freedom))
