from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.scores import sign_flips
from bench.scores.places import places
from bench.scores.sign_flips import (
    separated,
    sign_flip_separations,
    sign_patterns,
    unanimity,
)


def test_patterns_by_hand() -> None:
    """The observed signs come first, and no pattern is another's mirror image."""
    assert sign_patterns(3).tolist() == [
        [1, 1, 1],
        [1, 1, -1],
        [1, -1, 1],
        [1, -1, -1],
    ]
    assert sign_patterns(1).tolist() == [[1]]


def test_many_tasks_are_drawn() -> None:
    """Beyond 13 tasks they are drawn, the same each time, the observed one first."""
    found = sign_patterns(14)

    assert found.shape == (sign_flips.MOST_PATTERNS, 14)
    assert (found[0] == 1.0).all()
    assert set(np.unique(found)) == {-1.0, 1.0}
    np.testing.assert_array_equal(found, sign_patterns(14))
    assert abs(found[1:].mean()) < 0.02


def test_statistic_grows_with_student_s() -> None:
    """It is a function of the paired t alone: t / sqrt(t^2 + N - 1)."""
    differences = np.random.default_rng(0).normal(0.3, 1.0, (50, 7))
    t = stats.ttest_1samp(differences, 0.0, axis=1).statistic

    found = unanimity(differences, np.ones((1, 7)))[0]
    np.testing.assert_allclose(found, np.abs(t) / np.sqrt(t**2 + 6))


@pytest.mark.parametrize("seed", range(20))
def test_single_comparison_is_the_permutation_test(seed: int) -> None:
    """One comparison gives what scipy's sign-flip test gives."""
    difference = np.random.default_rng(seed).normal(0.8, 1.0, 6)
    expected = stats.permutation_test(
        (difference,),
        lambda x, axis: np.abs(x.sum(axis=axis)),
        permutation_type="samples",
        n_resamples=10**6,
        alternative="greater",
    ).pvalue

    assert separated(difference[None])[0] == (expected <= 0.05)


def by_definition(differences: np.ndarray) -> np.ndarray:
    """Step down with loops: reject the largest, test the rest among themselves."""
    n = differences.shape[1]

    def statistic(d: np.ndarray) -> float:
        return abs(d.sum()) / np.sqrt((d**2).sum()) if d.any() else 0.0

    found = np.zeros(len(differences), dtype=bool)
    for k in sorted(range(len(found)), key=lambda k: -statistic(differences[k])):
        left = differences[~found]
        larger = [
            max(statistic(d * signs) for d in left) >= statistic(differences[k]) - 1e-9
            for signs in product([1, -1], repeat=n)
        ]
        if np.mean(larger) > 0.05:
            break
        found[k] = True
    return found


@pytest.mark.parametrize("seed", range(10))
def test_step_down_equals_a_loop(seed: int) -> None:
    """All 2^N patterns, one comparison after the other, give the same."""
    rng = np.random.default_rng(seed)
    shift = rng.choice([0.0, 0.5, 1.0, 3.0], size=(8, 1))
    differences = rng.normal(shift, 0.3, (8, 6))
    differences[5] = 0.0

    np.testing.assert_array_equal(separated(differences), by_definition(differences))


def test_stepping_down_finds_more() -> None:
    """Mutation: without the steps some of what differs would not be found."""
    alike = np.ones((1, 6))
    close = np.array([[1.0, 1.2, 0.7, 1.1, 0.5, 1.6]])
    nearly = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0.05]])
    differences = np.concatenate([alike, close, nearly])

    assert separated(differences).tolist() == by_definition(differences).tolist()
    assert separated(alike).all()


def test_unanimous_tasks_separate_and_few_never_do() -> None:
    """Six tasks that agree are enough; five cannot reach 5 %."""
    assert separated(np.ones((1, 6))).all()
    assert not separated(np.ones((1, 5))).any()
    assert not separated(np.zeros((3, 6))).any()
    assert not separated(np.zeros((0, 6))).any()


def test_one_dissenting_task_is_not_enough() -> None:
    """With one of six tasks against it a difference is no longer sure."""
    assert not separated(np.array([[1.0, 1.0, 1.0, 1.0, 1.0, -0.1]])).any()


def found_places(values: np.ndarray) -> list[tuple[int, int]]:
    """Return the places of methods by their values on tasks."""
    return places(values.sum(axis=1), sign_flip_separations(values))


def test_places_by_hand() -> None:
    """Two that are equal share their places; far ones keep theirs."""
    wobble = np.array([0.00, 0.01, -0.01, 0.02, -0.02, 0.0])
    values = np.stack([wobble + 0.9, wobble + 0.1, wobble[::-1] + 0.1, wobble - 0.5])

    assert found_places(values) == [(1, 1), (2, 3), (2, 3), (4, 4)]


def test_places_follow_their_methods() -> None:
    """The order in which methods are listed changes nothing."""
    values = np.random.default_rng(1).normal(size=(9, 1)) + np.random.default_rng(
        2
    ).normal(0, 0.3, (9, 6))
    order = np.random.default_rng(3).permutation(9)

    assert [found_places(values)[i] for i in order] == found_places(values[order])


def test_of_one_method_there_is_one_place() -> None:
    """Alone it is first."""
    assert found_places(np.ones((1, 6))) == [(1, 1)]
    assert found_places(np.zeros((0, 0))) == []


def test_wrong_separations_are_rare() -> None:
    """Of 10 equal methods one is told from any other in at most 5 % of draws."""
    rng = np.random.default_rng(0)
    wrong = [
        found.any()
        for _ in range(100)
        for found in sign_flip_separations(rng.normal(size=(10, 8)))
    ]

    # 1000 correlated trials: 2 % more than 5 % would be three standard errors
    assert np.mean(wrong) < 0.07
