import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.scores.overlap import overlap

ONE_HOT = np.array([0.0, 0.0, 1.0, 0.0])
POSITIVE = arrays(np.float64, 7, elements=st.floats(1e-3, 1e3))


def test_overlap_by_hand() -> None:
    """Shares .25 .25 .5 against .5 .5 0 have .25 + .25 in common."""
    found = overlap(np.array([1.0, 1.0, 2.0]), np.array([3.0, 3.0, 0.0]))

    assert found.value == pytest.approx(0.5)


def test_an_offset_costs() -> None:
    """A larger offset on a perfect attribution scores strictly less, down to 1 / S."""
    found = [overlap(ONE_HOT + c, ONE_HOT).value or 0.0 for c in (0.0, 0.1, 1.0, 100.0)]

    assert found == pytest.approx([1.0, 1.1 / 1.4, 2 / 5, 101 / 401])
    assert found == sorted(found, reverse=True)


@settings(deadline=None, max_examples=60)
@given(one=POSITIVE, other=POSITIVE)
def test_overlap_is_one_minus_total_variation(
    one: np.ndarray, other: np.ndarray
) -> None:
    """It equals one minus half the L1 distance of the normalised profiles."""
    distance = np.abs(one / one.sum() - other / other.sum()).sum() / 2

    assert overlap(one, other).value == pytest.approx(1 - distance, abs=1e-12)
