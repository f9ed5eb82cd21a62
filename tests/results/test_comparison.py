import numpy as np
import pytest
from scipy import stats

from bench.profiles.promptwise import PROFILES
from bench.results.comparison import Comparison, compare_scores
from bench.results.scoring import ProfileScores, TaskScores
from bench.scores.score import Score, undefined
from bench.scores.sign_flips import sign_flip_chance
from bench.scores.skill import Yardstick

ROOM = Yardstick(nulls={"constant": 0.2}, ceiling=1.0)


def task_scores(
    skills: np.ndarray, draws: np.ndarray, *, family: str = "induction"
) -> list[TaskScores]:
    """Make scores of tasks whose two profiles are alike."""
    found = []
    for index, (skill, moved) in enumerate(zip(skills, draws, strict=True)):
        profile = ProfileScores(
            overlap=Score(0.5),
            skill=Score(float(skill)),
            draws=moved,
            shown={},
            yardstick=ROOM,
        )
        profiles = dict.fromkeys(PROFILES, profile)
        found.append(TaskScores(task=f"{family}/{index}", profiles=profiles))
    return found


@pytest.fixture
def skills() -> np.ndarray:
    """Skills of two methods on six tasks."""
    return np.random.default_rng(0).uniform(-0.5, 0.9, (2, 6))


@pytest.fixture
def draws(skills: np.ndarray) -> np.ndarray:
    """Their resamples: what moves both, and a little that is their own."""
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 0.1, (1, 6, 400))
    return skills[..., None] + shared + rng.normal(0, 0.01, (2, 6, 400))


def test_means_and_interval_are_paired(skills: np.ndarray, draws: np.ndarray) -> None:
    """They are those of a paired t test."""
    found = compare_scores(*map(task_scores, skills, draws))

    assert isinstance(found, Comparison)
    gap = skills[0] - skills[1]
    assert found.difference == pytest.approx(gap.mean())
    expected = stats.ttest_rel(*skills).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(expected))
    assert [mean.score.value for mean in found.means] == pytest.approx(
        skills.mean(axis=1)
    )


def test_chance_is_the_permutation_test(skills: np.ndarray, draws: np.ndarray) -> None:
    """All signs of the differences are gone through."""
    found = compare_scores(*map(task_scores, skills, draws))
    expected = stats.permutation_test(
        tuple(skills),
        lambda x, y, axis: np.abs((x - y).mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=10**6,
    )

    assert isinstance(found, Comparison)
    assert found.chance == pytest.approx(expected.pvalue)


def test_chance_by_hand() -> None:
    """Three that agree: two of eight patterns are as one-sided; one against two."""
    assert sign_flip_chance(np.array([1.0, 1.0, 1.0])) == 0.25
    assert sign_flip_chance(np.array([3.0, 1.0, -1.0])) == 0.75
    assert sign_flip_chance(np.array([0.0, 0.0, 0.0])) == 1.0


def test_prompts_are_paired(skills: np.ndarray, draws: np.ndarray) -> None:
    """What other prompts do to both does not widen the interval of the difference."""
    found = compare_scores(*map(task_scores, skills, draws))

    assert isinstance(found, Comparison)
    low, high = found.prompt_interval
    gaps = (draws[0] - draws[1]).mean(axis=0)
    assert (low, high) == pytest.approx(tuple(np.quantile(gaps, [0.025, 0.975])))
    assert high - low < 0.05
    assert low < found.difference < high


def test_a_method_is_not_ahead_of_itself(skills: np.ndarray, draws: np.ndarray) -> None:
    """Nothing differs, nothing is told apart."""
    same = task_scores(skills[0], draws[0])
    found = compare_scores(same, same)

    assert isinstance(found, Comparison)
    assert (found.difference, found.chance) == (0.0, 1.0)
    assert not found.apart
    assert not found.apart_here


def test_apart() -> None:
    """Six tasks that agree suffice, five do not."""
    still = np.zeros((2, 6, 400)) + np.array([0.5, 0.3])[:, None, None]
    values = still[..., 0]
    six = compare_scores(*map(task_scores, values, still))
    five = compare_scores(*map(task_scores, values[:, :5], still[:, :5]))

    assert isinstance(six, Comparison)
    assert isinstance(five, Comparison)
    assert (six.apart, five.apart) == (True, False)
    assert six.apart_here
    assert five.apart_here


def test_families_count_alike() -> None:
    """Two tasks of one family weigh as much as four of another."""
    values = np.array([[0.5, 0.7, 0.0, 0.2, 0.1, 0.3], [0.1] * 6])
    draws = np.repeat(values[..., None], 400, axis=2)
    one, other = (
        [
            *task_scores(v[:2], d[:2], family="induction"),
            *task_scores(v[2:], d[2:], family="stability"),
        ]
        for v, d in zip(values, draws, strict=True)
    )
    found = compare_scores(one, other)

    assert isinstance(found, Comparison)
    assert found.difference == pytest.approx((0.5 + 0.05) / 2)
    assert found.prompt_interval == pytest.approx((0.275, 0.275))


def test_other_tasks_are_refused(skills: np.ndarray, draws: np.ndarray) -> None:
    """Methods on different tasks have no paired difference."""
    one = task_scores(skills[0], draws[0])

    with pytest.raises(ValueError, match="compared on the same tasks"):
        compare_scores(one, one[::-1])


def test_undefined_is_no_difference(skills: np.ndarray, draws: np.ndarray) -> None:
    """A mean that is undefined compares with nothing."""
    one, other = map(task_scores, skills, draws)
    nothing = ProfileScores(
        overlap=undefined("nothing"),
        skill=undefined("nothing"),
        draws=None,
        shown={},
        yardstick=ROOM,
    )
    profiles = dict.fromkeys(PROFILES, nothing)
    spoilt = [TaskScores(task=one[0].task, profiles=profiles), *one[1:]]

    expected = ["induction/0, emergence: nothing"]
    assert compare_scores(spoilt, other) == expected
    assert compare_scores(other, spoilt) == expected


def test_rounding_errors_are_no_difference(
    skills: np.ndarray, draws: np.ndarray
) -> None:
    """Methods that differ by less than is compared are not told apart."""
    one = task_scores(skills[0], draws[0])
    other = task_scores(skills[0] + 1e-9, draws[0] + 1e-9)
    found = compare_scores(one, other)

    assert isinstance(found, Comparison)
    assert found.chance == 1.0
    assert not found.apart
    assert not found.apart_here
