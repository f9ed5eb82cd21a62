import numpy as np
import pytest
from scipy import stats

from bench.scores.across_tasks import family_mean, student_interval, task_weights

RNG = np.random.default_rng(0)
ONE, OTHER = RNG.normal(size=6), RNG.normal(2.0, 3.0, size=9)


def test_one_family_is_a_t_test() -> None:
    """Of one family it is the interval of scipy's one-sample t-test."""
    expected = stats.ttest_1samp(ONE, 0.0).confidence_interval(0.95)

    assert student_interval([ONE]) == pytest.approx((expected.low, expected.high))


def test_two_families_are_a_welch_test() -> None:
    """Of two it is that of Welch's test: half of the difference from the negative."""
    found = student_interval([ONE, OTHER])
    welch = stats.ttest_ind(ONE, -OTHER, equal_var=False).confidence_interval(0.95)

    assert found == pytest.approx((welch.low / 2, welch.high / 2))


def test_interval_by_hand() -> None:
    """0 and 1 average to 1/2, with an error of 1/2 and t(1) = 12.706."""
    assert student_interval([np.array([0.0, 1.0])]) == pytest.approx(
        (0.5 - 12.7062 / 2, 0.5 + 12.7062 / 2)
    )


def test_equal_tasks_leave_a_point() -> None:
    """Without variation the interval has no width."""
    assert student_interval([np.full(4, 0.25)]) == (0.25, 0.25)
    assert student_interval([np.full(4, 0.25), np.full(2, 0.75)]) == (0.5, 0.5)


@pytest.mark.parametrize(
    "families", [[], [np.ones(0)], [np.ones(1)], [np.ones(5), np.ones(1)]]
)
def test_a_single_task_gives_no_interval(families: list[np.ndarray]) -> None:
    """Nothing can be said of tasks that might have been, where there is one or none."""
    assert student_interval(families) is None


def test_families_count_alike() -> None:
    """Ten tasks of one family weigh as much as two of another."""
    families = [np.ones(10), np.zeros(2)]

    assert family_mean(families) == 0.5
    weighted = float(task_weights([10, 2]) @ np.concatenate(families))
    assert family_mean(families) == pytest.approx(weighted)


def test_weights_add_to_one() -> None:
    """Every task in a family counts alike."""
    weights = task_weights([3, 1, 2])

    assert weights == pytest.approx(np.array([1 / 9] * 3 + [1 / 3] + [1 / 6] * 2))
    assert weights.sum() == pytest.approx(1.0)


def by_definition(families: list[np.ndarray]) -> tuple[float, float]:
    """Add up the families' errors with loops: Welch and Satterthwaite."""
    mean, variance, spread = 0.0, 0.0, 0.0
    for family in families:
        n, k = len(family), len(families)
        own = sum(family) / n
        squares = sum((value - own) ** 2 for value in family)
        part = squares / (n - 1) / n / k**2
        mean, variance = mean + own / k, variance + part
        spread += part**2 / (n - 1)
    half = float(stats.t.isf(0.025, variance**2 / spread)) * variance**0.5
    return mean - half, mean + half


def test_three_families_agree_with_a_loop() -> None:
    """Of any number of families it is Welch's, which scipy has for two alone."""
    families = [ONE, OTHER, RNG.normal(-1.0, 0.5, size=3)]

    assert student_interval(families) == pytest.approx(by_definition(families))


@pytest.mark.parametrize("scale", [0.25, 4.0])
def test_interval_follows_its_tasks(scale: float) -> None:
    """It moves, grows and mirrors with the skills, in any order of both."""
    found = student_interval([ONE, OTHER])
    assert found is not None
    low, high = found
    grown = [scale * family[::-1] + 1.0 for family in (OTHER, ONE)]

    assert student_interval(grown) == pytest.approx((scale * low + 1, scale * high + 1))
    assert student_interval([-ONE, -OTHER]) == pytest.approx((-high, -low))


@pytest.mark.parametrize("sizes", [(3,), (6,), (4, 4)])
def test_interval_covers_what_it_says(sizes: tuple[int, ...]) -> None:
    """Of normal tasks 95 % of the intervals hold the mean; with one family exactly."""
    rng = np.random.default_rng(8)
    held: list[bool] = []
    for _ in range(1500):
        found = student_interval([rng.normal(0.3, 1.0, size=n) for n in sizes])
        assert found is not None
        held.append(found[0] <= 0.3 <= found[1])

    # three standard errors of a share of 1500; Welch's intervals are rather too wide
    error = 3 * np.sqrt(0.95 * 0.05 / 1500)
    assert np.mean(held) > 0.95 - error
    if len(sizes) == 1:
        assert np.mean(held) < 0.95 + error
