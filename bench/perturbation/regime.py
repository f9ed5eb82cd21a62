"""The universal regime: strengths over which the response does not change its form.

Shapes: E strengths, N residual points.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STRENGTHS = (1e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
"""Strengths of the sweep. The low end is numerics, the high end the model's own
nonlinearity; both lie outside the regime."""

LARGEST_CHANGE = 0.05
"""How much the response may change within the regime."""

FLOOR = 0.2
"""Deviations are relative to at least this fraction of the largest response over depth:
where the true response is near zero a relative deviation means nothing. The largest
change of this floor is 1 % of the largest response, as far as a reference has to be
reproduced; decision 0007."""


@dataclass(frozen=True)
class Regime:
    """A window of strengths and the strength to measure at."""

    lowest: float
    highest: float
    strength: float
    """The strength of the sweep nearest the window's middle on a logarithmic scale."""
    change: float
    """Largest relative change within the window, over all residual points."""

    @property
    def decades(self) -> float:
        """Width of the window in powers of ten."""
        return float(np.log10(self.highest / self.lowest))


def deviations(
    responses: Float[np.ndarray, "E N"], exact: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "E N"]:
    """Return ``|response - exact|`` relative to the exact response or its floor."""
    scale = np.maximum(exact, FLOOR * exact.max())
    return _ratio(np.abs(responses - exact), scale)


def window_change(responses: Float[np.ndarray, "E N"]) -> float:
    """Return the largest relative change of any point's response within a window."""
    middle = (responses.max(axis=0) + responses.min(axis=0)) / 2
    scale = np.maximum(middle, FLOOR * middle.max())
    return float(_ratio(np.ptp(responses, axis=0), scale).max())


def _ratio(
    difference: Float[np.ndarray, "*E N"], scale: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "*E N"]:
    """Divide; no difference is 0 whatever the scale, and NaN stays NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(difference == 0, 0.0, difference / scale)


def find_regime(
    strengths: Float[np.ndarray, " E"], responses: Float[np.ndarray, "E N"]
) -> Regime:
    """Find the widest window of strengths in which no response changes by over 5 %.

    Among equally wide windows the one with the smallest change is taken. A window of a
    single strength always exists; it has no width, and the gates refuse it.
    """
    windows = [
        (low, high, window_change(responses[low : high + 1]))
        for low in range(len(strengths))
        for high in range(low, len(strengths))
    ]
    allowed = [w for w in windows if w[0] == w[1] or w[2] <= LARGEST_CHANGE]
    low, high, change = max(
        allowed,
        key=lambda w: (
            round(float(np.log10(strengths[w[1]] / strengths[w[0]])), 6),
            -w[2],
        ),
    )
    middle = np.sqrt(strengths[low] * strengths[high])
    inside = strengths[low : high + 1]
    # rounded, so that of two equally near strengths the lower one is taken
    nearest = int(np.argmin(np.abs(np.log(inside / middle)).round(6)))
    return Regime(
        lowest=float(strengths[low]),
        highest=float(strengths[high]),
        strength=float(inside[nearest]),
        change=change,
    )
