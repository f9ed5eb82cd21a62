"""What every score expects of a random answer: simulation against a closed form.

Random means shares uniform on the simplex, as in the null of that name. Then the share
of the first s of S sections is Beta(s, S - s), and the sections are exchangeable.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy import stats

from bench.scores.depth import onset
from bench.scores.nulls import random_overlap
from bench.scores.recall import main_sections
from bench.scores.score import Score
from bench.scores.skill import Yardstick, skill
from tests.scores.every_score import SCORES

N_DRAWS = 800
REFERENCES = {
    "peak": np.array([0.0, 0.0, 5.0, 0.0, 1.0, 0.0]),
    "spread": np.array([1.0, 0.5, 2.0, 1.5, 1.0, 2.0, 0.5, 1.5]),
}


def uncorrelated(reference: np.ndarray) -> float:
    """Exchangeable sections lie on both sides of their mean alike."""
    return 0.0


def chance(reference: np.ndarray) -> float:
    """Of S sections in random order the first k hold k / S of any."""
    return len(main_sections(reference)) / len(reference)


def first_sections(size: int) -> list:
    """Return how the share of the first 1, 2, .. S - 1 sections is distributed."""
    return [stats.beta(s, size - s) for s in range(1, size)]


def distance_of_onsets(reference: np.ndarray) -> float:
    """The onset lies behind section s if the sections up to it hold less than 0.1."""
    size = len(reference)
    later = [1.0, *(share.cdf(0.1) for share in first_sections(size)), 0.0]
    at = -np.diff(later)
    return float(at @ np.abs(np.arange(size) - onset(reference)))


def distance_moved(reference: np.ndarray) -> float:
    """Sum ``E|B - c| = c (2 F(c) - 1) + E B - 2 E[B; B < c]`` over cumulated shares.

    ``E[B; B < c]`` is the mean of B times the distribution function of Beta(a + 1, b).
    """
    size = len(reference)
    found = 0.0
    for s, c in enumerate((reference / reference.sum()).cumsum()[:-1], start=1):
        below, mean = stats.beta.cdf(c, s, size - s), s / size
        partial = mean * stats.beta.cdf(c, s + 1, size - s)
        found += c * (2 * below - 1) + mean - 2 * partial
    return float(found / size)


def overlap_at_random(reference: np.ndarray) -> float:
    """What the null of that name counts."""
    return float(random_overlap(reference))


EXPECTED: dict[str, Callable[[np.ndarray], float]] = {
    "overlap": overlap_at_random,
    "pearson": uncorrelated,
    "spearman": uncorrelated,
    "top_k_recall": chance,
    "onset_error": distance_of_onsets,
    "wasserstein": distance_moved,
}


@cache
def draws(name: str, of: str) -> np.ndarray:
    """Score many random answers."""
    reference = REFERENCES[of]
    rng = np.random.default_rng(7)
    answers = rng.dirichlet(np.ones(len(reference)), size=N_DRAWS)
    return np.array([SCORES[name][0](answer, reference).value for answer in answers])


def assert_mean(found: np.ndarray, expected: float) -> None:
    """Compare within four standard errors: wrong in one of 16,000 by chance."""
    assert found.std() > 0
    error = float(found.std() / np.sqrt(len(found)))
    assert found.mean() == pytest.approx(expected, abs=4 * error)


def test_every_score_has_its_expectation() -> None:
    """A new score is not in the package before its expectation is here."""
    assert set(EXPECTED) == set(SCORES)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("of", REFERENCES)
def test_mean_of_random_answers(name: str, of: str) -> None:
    """The mean over many is the closed form."""
    assert_mean(draws(name, of), EXPECTED[name](REFERENCES[of]))


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_spread_of_random_correlations(name: str) -> None:
    """With S exchangeable sections the mean square of r is 1 / (S - 1)."""
    assert_mean(draws(name, "spread") ** 2, 1 / 7)


def test_skill_of_random_answers_is_below_zero() -> None:
    """On average it is that of the expected overlap, and random is one of the nulls."""
    random = overlap_at_random(REFERENCES["peak"])
    yardstick = Yardstick(nulls={"random": random, "ramp": random + 0.1}, ceiling=1.0)
    found = [skill(Score(float(x)), yardstick).value for x in draws("overlap", "peak")]
    skills = np.array(found, dtype=float)

    assert skills.min() > -1.0  # none is clipped, which would lift the mean
    assert_mean(skills, -0.1 / (0.9 - random))
