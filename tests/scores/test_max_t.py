import numpy as np
import pytest
from scipy import stats

from bench.scores.bootstrap import percentile_interval
from bench.scores.max_t import max_t_separations, simultaneous_reach
from bench.scores.places import places


def naive_reach(differences: np.ndarray, draws: np.ndarray) -> list[float]:
    """Compute the reach number by number."""
    errors = []
    for difference, row in zip(differences, draws, strict=True):
        squares = [(value - difference) ** 2 for value in row]
        errors.append((sum(squares) / len(squares)) ** 0.5)
    farthest = sorted(
        max(
            abs(draws[k, b] - differences[k]) / errors[k]
            for k in range(len(differences))
            if errors[k]
        )
        for b in range(draws.shape[1])
    )
    return [error * float(np.quantile(farthest, 0.95)) for error in errors]


def test_reach_number_by_number() -> None:
    """The same as a loop over comparisons and resamples."""
    rng = np.random.default_rng(0)
    differences = rng.normal(size=5)
    draws = differences[:, None] + rng.normal(size=(5, 1)) * rng.normal(size=(5, 80))
    draws[2] = differences[2]  # one that no resample moves

    np.testing.assert_allclose(
        simultaneous_reach(differences, draws), naive_reach(differences, draws)
    )


@pytest.mark.parametrize("comparisons", [1, 5, 30])
def test_reach_of_independent_normals(comparisons: int) -> None:
    """Their largest has a known distribution, which Sidak's correction is made of."""
    draws = np.random.default_rng(comparisons).normal(size=(comparisons, 40_000))
    expected = stats.norm.ppf((1 + 0.95 ** (1 / comparisons)) / 2)

    reach = simultaneous_reach(np.zeros(comparisons), draws)
    np.testing.assert_allclose(reach, expected, rtol=0.02)


def test_one_comparison_is_the_usual_interval() -> None:
    """For a single symmetric difference it is the percentile interval."""
    draws = np.random.default_rng(1).normal(0.3, 0.1, 20_000)
    (reach,) = simultaneous_reach(np.array([0.3]), draws[None])

    low, high = percentile_interval(draws)
    assert (0.3 - reach, 0.3 + reach) == pytest.approx((low, high), abs=0.003)


def test_only_what_is_paired_counts() -> None:
    """What moves all methods alike separates nothing and hides nothing."""
    rng = np.random.default_rng(2)
    points = np.array([0.50, 0.45, 0.449])
    own = points[:, None] + rng.normal(0, 0.005, (3, 400))
    together = own + rng.normal(0, 0.5, 400)

    for draws in (own, together):
        found = places(points, max_t_separations(points, draws))
        assert found == [(1, 1), (2, 3), (2, 3)]


def test_equal_methods_share_places() -> None:
    """Copies are never apart, however still they hold; nor what is not shown."""
    points = np.array([0.5, 0.5, 0.5 + 1e-9])
    draws = np.repeat(points[:, None], 400, axis=1)
    found = places(points, max_t_separations(points, draws, smallest=0.001))

    assert found == [(1, 3)] * 3


def test_still_differences_are_differences() -> None:
    """What no resample changes separates as soon as it is larger than the smallest."""
    points = np.array([0.5, 0.4])
    draws = np.repeat(points[:, None], 400, axis=1)

    found = places(points, max_t_separations(points, draws, smallest=0.001))
    assert found == [(1, 1), (2, 2)]


def test_all_intervals_hold_together() -> None:
    """Of means of 30 values, all 9 differences from the first lie within reach.

    In 95 % of samples, less what the bootstrap of 30 values loses.
    """
    rng = np.random.default_rng(3)
    truth = np.linspace(0, 1, 10)
    held = []
    for _ in range(300):
        sample = truth[:, None] + rng.normal(0, 1, (10, 30))
        rows = rng.integers(0, 30, size=(400, 30))
        draws = sample[:, rows].mean(axis=2)
        found = sample.mean(axis=1)
        reach = simultaneous_reach(found - found[0], draws - draws[0])
        held.append(np.all(np.abs(found - found[0] - truth + truth[0]) <= reach))

    assert 0.9 < np.mean(held) < 0.98
