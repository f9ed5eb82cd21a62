import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.scores.overlap import overlap

ONE_HOT = np.array([0.0, 0.0, 1.0, 0.0])
POSITIVE = arrays(np.float64, 7, elements=st.floats(1e-3, 1e3))


def test_disjoint_profiles_share_nothing() -> None:
    """No common section gives 0."""
    assert overlap(np.array([1.0, 0.0]), np.array([0.0, 2.0])).value == 0.0


def test_overlap_by_hand() -> None:
    """Shares .25 .25 .5 against .5 .5 0 have .25 + .25 in common."""
    found = overlap(np.array([1.0, 1.0, 2.0]), np.array([3.0, 3.0, 0.0]))

    assert found.value == pytest.approx(0.5)


def test_reversed_ramp_by_hand() -> None:
    """Shares 1 2 3 4 against 4 3 2 1 (tenths) have 1 + 2 + 2 + 1 in common."""
    ramp = np.array([1.0, 2.0, 3.0, 4.0])

    assert overlap(ramp[::-1].copy(), ramp).value == pytest.approx(0.6)


def test_constant_holds_its_share_of_a_one_hot() -> None:
    """A constant puts 1 / S on the one right section."""
    assert overlap(np.ones(4), ONE_HOT).value == pytest.approx(0.25)


def test_one_hot_on_a_tied_pair_holds_half() -> None:
    """One right peak of two equal ones scores half, both score all."""
    pair = np.array([0.0, 1.0, 1.0, 0.0])

    assert overlap(ONE_HOT, pair).value == pytest.approx(0.5)
    assert overlap(3.0 * pair, pair).value == pytest.approx(1.0)


def test_an_offset_costs() -> None:
    """A larger offset on a perfect attribution scores strictly less, down to 1 / S."""
    found = [overlap(ONE_HOT + c, ONE_HOT).value or 0.0 for c in (0.0, 0.1, 1.0, 100.0)]

    assert found == pytest.approx([1.0, 1.1 / 1.4, 2 / 5, 101 / 401])
    assert found == sorted(found, reverse=True)


def test_negative_attribution_is_neither_reward_nor_cost() -> None:
    """Negative parts count as nothing."""
    assert overlap(np.array([-9.0, 0.0, 1.0, -1.0]), ONE_HOT).value == 1.0


@settings(deadline=None, max_examples=60)
@given(one=POSITIVE, other=POSITIVE)
def test_overlap_is_one_minus_total_variation(
    one: np.ndarray, other: np.ndarray
) -> None:
    """It equals one minus half the L1 distance of the normalised profiles."""
    distance = np.abs(one / one.sum() - other / other.sum()).sum() / 2

    assert overlap(one, other).value == pytest.approx(1 - distance, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(one=POSITIVE, other=POSITIVE)
def test_overlap_is_symmetric(one: np.ndarray, other: np.ndarray) -> None:
    """Either profile may be the reference."""
    assert overlap(one, other) == overlap(other, one)
