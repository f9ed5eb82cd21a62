import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.scores.overlap import overlap, overlaps

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


def by_loop(one: list[float], other: list[float]) -> float:
    """Add up what both put on each section, one by one."""
    one, other = ([max(0.0, value) for value in side] for side in (one, other))
    both = zip(one, other, strict=True)
    return sum(min(a / sum(one), b / sum(other)) for a, b in both)


def test_rows_are_scored_one_by_one() -> None:
    """Many pairs at once give what single ones give, NaN where these are undefined."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 40, 3))
    one[3, 1], other[5, 2] = np.nan, -np.inf
    found = overlaps(one, other)
    single = [overlap(*pair).value for pair in zip(one, other, strict=True)]

    assert {3, 5} < set(np.flatnonzero(np.isnan(found)))
    for row, value in enumerate(single):
        assert np.isnan(found[row]) if value is None else found[row] == value
        if value is not None:
            assert value == pytest.approx(by_loop(list(one[row]), list(other[row])))
