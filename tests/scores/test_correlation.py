from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bench.scores.correlation import pearson, spearman
from bench.scores.score import Score

Compare = Callable[[np.ndarray, np.ndarray], Score]

RAMP = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
CONSTANT = Score(None, "one of the two profiles is constant")
# whole numbers: ties occur, and no value is nearly constant
WHOLE = arrays(np.float64, 8, elements=st.integers(-9, 40).map(float))


def varies(x: np.ndarray) -> bool:
    """Whether a profile is not constant."""
    return bool(np.ptp(x) > 0)


@settings(deadline=None, max_examples=100)
@given(one=WHOLE.filter(varies), other=WHOLE.filter(varies))
def test_pearson_agrees_with_scipy(one: np.ndarray, other: np.ndarray) -> None:
    """The linear correlation is scipy's."""
    expected = stats.pearsonr(one, other).statistic

    assert pearson(one, other).value == pytest.approx(expected, abs=1e-9)


def floored(x: np.ndarray) -> np.ndarray:
    """Set what is below a twentieth of the largest value to zero, one by one."""
    return np.array([v if v >= max(x) / 20 and v > 0 else 0.0 for v in x])


@settings(deadline=None, max_examples=100)
@given(one=WHOLE, other=WHOLE)
def test_spearman_agrees_with_scipy(one: np.ndarray, other: np.ndarray) -> None:
    """The rank correlation is scipy's after small sections have been tied."""
    one_floored, other_floored = floored(one), floored(other)
    if not (varies(one_floored) and varies(other_floored)):
        assert spearman(one, other) == CONSTANT
        return
    expected = stats.spearmanr(one_floored, other_floored).statistic

    assert spearman(one, other).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("score", [pearson, spearman], ids=["pearson", "spearman"])
@pytest.mark.parametrize("size", [1, 5])
def test_constant_is_undefined(score: Compare, size: int) -> None:
    """A constant on either side has no correlation, nor has a single section."""
    ramp = np.arange(1.0, size + 1)

    assert score(np.full(size, 0.1), ramp) == CONSTANT
    assert score(ramp, np.full(size, 0.1)) == CONSTANT
    assert score(np.zeros(size), ramp) == CONSTANT


def test_rounding_noise_is_constant() -> None:
    """Values that differ by rounding only do not count as a profile."""
    noisy = 0.1 * np.array([1.0, 1.0 + 2e-16, 1.0 - 2e-16, 1.0, 1.0])

    assert pearson(noisy, RAMP) == CONSTANT


def test_pearson_is_blind_to_an_offset() -> None:
    """The reference plus 100 scores 1: why Pearson does not rank."""
    assert pearson(RAMP + 100.0, RAMP).value == pytest.approx(1.0)


def test_spearman_ties_noise_below_the_peak() -> None:
    """The order of sections below 5 % of the peak does not matter."""
    peak = np.array([0.0, 0.0, 1.0, 0.0])
    noisy = np.array([0.049, 0.01, 1.0, -3.0])

    assert spearman(noisy, peak).value == pytest.approx(1.0)


def test_spearman_keeps_five_percent() -> None:
    """A section at exactly 5 % of the peak still has its own rank."""
    at = np.array([0.0, 5.0, 100.0])
    below = np.array([0.0, 4.999, 100.0])

    assert spearman(at, np.array([0.0, 1.0, 2.0])).value == pytest.approx(1.0)
    # ranks 1.5 1.5 3 against 1 2 3
    assert spearman(below, np.array([0.0, 1.0, 2.0])).value == pytest.approx(
        np.sqrt(3) / 2
    )
