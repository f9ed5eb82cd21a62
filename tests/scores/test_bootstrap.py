import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from bench.scores.bootstrap import N_RESAMPLES, percentile_interval, resamples


def test_resamples_are_the_same_in_every_run() -> None:
    """The draws depend on the number of prompts and the stream alone."""
    one, other = list(resamples(5, stream=3)), list(resamples(5, stream=3))

    np.testing.assert_array_equal(one, other)


def test_streams_differ() -> None:
    """Two sides of a comparison are resampled independently."""
    one, other = np.array(list(resamples(5, stream=0))), list(resamples(5, stream=1))

    assert (one != np.array(other)).any(axis=1).mean() > 0.9


def test_resamples_are_rows_with_replacement() -> None:
    """Every draw has as many rows as there are prompts, all within range."""
    drawn = np.array(list(resamples(7, stream=0)))

    assert drawn.shape == (N_RESAMPLES, 7)
    assert set(drawn.ravel().tolist()) == set(range(7))
    # 7 of 7 without repeat has probability 7! / 7^7 = 0.006
    assert np.mean([len(set(row)) < 7 for row in drawn.tolist()]) > 0.95


def test_one_prompt_is_drawn_again_and_again() -> None:
    """A single prompt gives the same row each time."""
    assert not np.array(list(resamples(1, stream=0))).any()


def test_interval_of_equal_values_is_a_point() -> None:
    """No variation gives an interval of no width."""
    assert percentile_interval(np.full(400, 0.25)) == (0.25, 0.25)


def test_interval_by_hand() -> None:
    """Of 0, 1, .., 1000 the middle 95 % lie between 25 and 975, in any order."""
    values = np.random.default_rng(0).permutation(1001).astype(float)

    assert percentile_interval(values) == pytest.approx((25.0, 975.0))


def test_bootstrap_interval_of_a_mean_has_the_right_width() -> None:
    """Resampling a mean gives about 1.96 standard errors to either side."""
    sample = np.random.default_rng(4).normal(size=200)
    means = np.array([sample[rows].mean() for rows in resamples(200, stream=0)])
    low, high = percentile_interval(means)

    expected = 2 * 1.96 * sample.std() / np.sqrt(200)
    assert high - low == pytest.approx(expected, rel=0.15)


def test_interval_agrees_with_scipy() -> None:
    """Of the same resamples it is scipy's percentile interval."""
    sample = np.random.default_rng(1).exponential(size=30)
    found = stats.bootstrap(
        (sample,), np.mean, n_resamples=500, method="percentile", rng=2
    )
    low, high = found.confidence_interval

    assert percentile_interval(found.bootstrap_distribution) == pytest.approx(
        (low, high)
    )


def test_resamples_vary_as_scipy_s_do() -> None:
    """The means of resamples spread as those of scipy, by s / sqrt(n)."""
    sample = np.random.default_rng(4).exponential(size=40)
    own = np.array([sample[rows].mean() for rows in resamples(40, stream=0)])
    other = stats.bootstrap((sample,), np.mean, n_resamples=N_RESAMPLES, rng=2)

    expected = sample.std() / np.sqrt(40)
    # the spread of 400 values is known to 1 in sqrt(800)
    assert own.std() == pytest.approx(expected, rel=4 / np.sqrt(2 * N_RESAMPLES))
    assert own.std() == pytest.approx(other.standard_error, rel=0.2)


@settings(deadline=None, max_examples=60)
@given(
    values=arrays(np.float64, 20, elements=st.floats(-1.0, 1.0, allow_subnormal=False)),
    scale=st.floats(0.1, 10.0),
)
def test_interval_follows_its_values(values: np.ndarray, scale: float) -> None:
    """It lies within the values, and moves, grows and mirrors with them."""
    low, high = percentile_interval(values)

    assert values.min() <= low <= high <= values.max()
    assert percentile_interval(scale * values + 0.5) == pytest.approx(
        (scale * low + 0.5, scale * high + 0.5), abs=1e-12
    )
    assert percentile_interval(-values) == pytest.approx((-high, -low), abs=1e-12)
