import numpy as np
import pytest

from bench.scores.shares import (
    NO_REFERENCE,
    NOT_FINITE,
    NOTHING_POSITIVE,
    shares,
    why_undefined,
)

GOOD = np.array([1.0, 3.0])


def test_shares_by_hand() -> None:
    """Negative parts count as nothing, the rest is scaled to sum to 1."""
    assert shares(np.array([1.0, -5.0, 3.0])).tolist() == [0.25, 0.0, 0.75]


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1.0, 1e300, 1.7e308])
def test_shares_of_any_magnitude(scale: float) -> None:
    """Neither huge nor tiny values overflow, underflow or change the shares."""
    assert shares(np.full(4, scale)).tolist() == [0.25] * 4


def test_defined_profiles_have_no_reason() -> None:
    """Two profiles with a finite positive part can be compared."""
    assert why_undefined(GOOD, np.array([-1.0, 1e-300])) is None


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([np.nan, 1.0], NOT_FINITE),
        ([np.inf, 1.0], NOT_FINITE),
        ([-np.inf, 1.0], NOT_FINITE),
        ([0.0, 0.0], NOTHING_POSITIVE),
        ([-1.0, -2.0], NOTHING_POSITIVE),
    ],
    ids=["nan", "inf", "minus-inf", "zero", "negative"],
)
def test_what_has_no_shares_says_why(values: list[float], reason: str) -> None:
    """A bad attribution is named first, a bad reference has its own reason."""
    bad = np.array(values)

    for other in (GOOD, bad):
        found = why_undefined(bad, other)
        assert found is not None
        assert (found.value, found.undefined) == (None, reason)
    found = why_undefined(GOOD, bad)
    assert found is not None
    assert (found.value, found.undefined) == (None, NO_REFERENCE)
