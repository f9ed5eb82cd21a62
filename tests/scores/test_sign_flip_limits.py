"""Sign flips: what they cannot depend on, and how often they are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scores.sign_flips import separated, sign_patterns, unanimity

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> np.ndarray:
    """Draw seven comparisons on six tasks, of which some differ clearly."""
    rng = np.random.default_rng(seed)
    return rng.normal(rng.choice([0.0, 0.6, 2.0], size=(7, 1)), 0.4, (7, 6))


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_statistic_keeps_within_its_bounds(seed: int) -> None:
    """It is 1 where all tasks differ alike and never more, under no pattern below 0."""
    differences = np.vstack([drawn(seed), np.full(6, -0.3), np.zeros(6)])
    found = unanimity(differences, sign_patterns(6))

    assert (found >= 0.0).all()
    assert (found <= 1.0 + 1e-12).all()
    assert found[0, -2:] == pytest.approx([1.0, 0.0])


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_units_direction_and_order_do_not_matter(seed: int) -> None:
    """Each comparison has its own unit and sign; tasks and comparisons no order."""
    rng = np.random.default_rng(seed)
    differences = drawn(seed)
    plain = separated(differences)
    factors = rng.choice([-4.0, -0.25, 0.5, 8.0], size=(7, 1))
    tasks, rows = rng.permutation(6), rng.permutation(7)

    np.testing.assert_array_equal(separated(factors * differences), plain)
    np.testing.assert_array_equal(separated(differences[:, tasks]), plain)
    np.testing.assert_array_equal(separated(differences[rows]), plain[rows])


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_a_clone_of_either_costs_nobody_anything(seed: int) -> None:
    """A comparison twice, and one of equals, leave all the others as they are."""
    differences = drawn(seed)
    more = np.vstack([differences, differences[2], np.zeros(6)])

    found = separated(more)
    np.testing.assert_array_equal(found[:7], separated(differences))
    assert found[7] == found[2]
    assert not found[8]


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS)
def test_more_comparisons_separate_no_more(seed: int) -> None:
    """What is told apart among many is told apart alone, and never the reverse."""
    differences = drawn(seed)
    alone = np.array([separated(row[None])[0] for row in differences])

    assert (alone | ~separated(differences)).all()


@pytest.mark.parametrize(("n_tasks", "rate"), [(6, 1 / 32), (7, 3 / 64)])
def test_error_of_one_comparison_is_exact(n_tasks: int, rate: float) -> None:
    """Of N tasks the largest k of 2^(N - 1) patterns separate, as many as 5 % allow.

    All patterns are equally likely if nothing differs, however unequal the tasks are.
    """
    rng = np.random.default_rng(5)
    spread = np.linspace(0.1, 3.0, n_tasks)
    wrong = [separated(rng.normal(0.0, spread)[None])[0] for _ in range(2000)]

    assert np.mean(wrong) == pytest.approx(rate, abs=4 * np.sqrt(rate / 2000))
