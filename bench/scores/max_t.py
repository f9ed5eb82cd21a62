"""Which methods differ by more than the choice of prompts explains.

The same prompts are resampled for all methods. How far the difference of two methods
moves, in units of its root mean square, is taken for the pair that moves farthest; a
difference farther from 0 than 95 % of these is one that other prompts would show as
well. So are the confidence sets for ranks of Mogstad, Romano, Shaikh and Wilhelm (2024)
made. As with sign flips, a method's comparisons are tested together and those of
different methods are not.

Shapes: M methods, B resamples.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from bench.scores.bootstrap import LEVEL


def max_t_separations(
    points: Float[np.ndarray, " M"],
    draws: Float[np.ndarray, "M B"],
    *,
    smallest: float = 0.0,
) -> Iterator[Bool[np.ndarray, " M"]]:
    """Say for each method in turn which others differ from it.

    Args:
        points: What each method reaches on all prompts.
        draws: The same under resampled prompts, paired over methods.
        smallest: Differences up to this one are none.
    """
    for own, own_draws in zip(points, draws, strict=True):
        reach = simultaneous_reach(points - own, draws - own_draws)
        yield np.abs(points - own) > np.maximum(reach, smallest)


def simultaneous_reach(
    differences: Float[np.ndarray, " K"], draws: Float[np.ndarray, "K B"]
) -> Float[np.ndarray, " K"]:
    """Return half the width of intervals that together hold all differences.

    At 95 %; each is as wide as its own spread asks for, bias included.
    """
    moved = draws - differences[:, None]
    error = np.sqrt((moved**2).mean(axis=1))
    scale = np.where(error > 0, error, 1.0)
    farthest = np.abs(moved / scale[:, None]).max(axis=0)
    return error * float(np.quantile(farthest, LEVEL))
