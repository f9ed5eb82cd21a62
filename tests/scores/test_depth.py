import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bench.scores.depth import onset, onset_error, wasserstein

POSITIVE = arrays(np.float64, 9, elements=st.floats(1e-3, 1e3))


def one_hot(section: int, size: int = 8) -> np.ndarray:
    """Put everything on one section."""
    return (np.arange(size) == section).astype(float)


@pytest.mark.parametrize("section", range(8))
def test_onset_of_a_one_hot_is_its_section(section: int) -> None:
    """A single peak sets in where it is."""
    assert onset(one_hot(section)) == section


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ([1.0, 9.0], 0),  # exactly a tenth counts as reached
        ([0.99, 9.01], 1),
        ([0.05, 0.05, 0.9], 1),  # the tenth may be reached in steps
        ([-5.0, 0.0, 1.0], 2),
        ([1.0] * 10, 0),
        ([1.0] * 11, 1),
    ],
)
def test_onset_by_hand(profile: list[float], expected: int) -> None:
    """The onset is the first section by which a tenth of the share is reached."""
    assert onset(np.array(profile)) == expected


@pytest.mark.parametrize(("one", "other"), [(0, 7), (7, 0), (3, 5), (4, 4)])
def test_onset_error_of_peaks_is_their_distance(one: int, other: int) -> None:
    """Between two peaks the error is the number of sections, without sign."""
    assert onset_error(one_hot(one), one_hot(other)).value == abs(one - other)


@pytest.mark.parametrize(("one", "other"), [(0, 7), (7, 0), (3, 5), (4, 4)])
def test_wasserstein_of_peaks_is_their_distance(one: int, other: int) -> None:
    """Everything moves by the distance, in fractions of the depth."""
    found = wasserstein(one_hot(one), one_hot(other)).value

    assert found == pytest.approx(abs(one - other) / 8)


def test_constant_against_the_first_section() -> None:
    """A constant over S sections moves by (S - 1) / 2 sections on average."""
    assert wasserstein(np.ones(8), one_hot(0)).value == pytest.approx(3.5 / 8)


@settings(deadline=None, max_examples=60)
@given(one=POSITIVE, other=POSITIVE)
def test_wasserstein_agrees_with_scipy(one: np.ndarray, other: np.ndarray) -> None:
    """It is scipy's distance for sections 1 / S apart."""
    depth = np.arange(9) / 9
    expected = stats.wasserstein_distance(depth, depth, one, other)

    assert wasserstein(one, other).value == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(one=POSITIVE, other=POSITIVE, third=POSITIVE)
def test_wasserstein_is_a_metric(
    one: np.ndarray, other: np.ndarray, third: np.ndarray
) -> None:
    """It is symmetric and keeps the triangle inequality."""
    direct = wasserstein(one, other).value or 0.0
    detour = (wasserstein(one, third).value or 0.0) + (
        wasserstein(third, other).value or 0.0
    )

    assert wasserstein(other, one).value == pytest.approx(direct)
    assert direct <= detour + 1e-12
