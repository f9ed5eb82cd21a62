"""What moves a score and what does not, for every score alike.

Each change is tried on pairs of profiles with ties, zeros and negative values. Scores
named in ``BLIND_TO`` keep their value on all of them, all others move on some: what is
claimed here is neither too much nor too little.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.scores.every_score import SCORES, Compare, every_score

Pair = tuple[np.ndarray, np.ndarray]
N_PAIRS = 60


def pairs(*, lowest: int) -> Iterator[Pair]:
    """Draw attributions of small whole numbers, with references that are positive."""
    rng = np.random.default_rng(0)
    for _ in range(N_PAIRS):
        size = int(rng.integers(2, 10))
        attribution, reference = rng.integers(lowest, 7, (2, size)).astype(float)
        attribution[rng.integers(size)] = 7.0
        reference[rng.integers(size)] = 7.0
        yield attribution, reference


def offset(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Add the same to every section."""
    return attribution + 3.0, reference


def curve(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Bend the attribution, so that order is kept and nothing falls below 5 %."""
    return np.log1p(attribution), reference


def clip_attribution(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Take the attribution's negative parts away."""
    return np.clip(attribution, 0.0, None), reference


def clip_reference(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Take the reference's negative parts away."""
    return attribution, np.clip(reference, 0.0, None)


def shuffle(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Put the sections of both into another order."""
    order = np.random.default_rng(1).permutation(len(reference))
    return attribution[order], reference[order]


def mirror(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Turn the depth round."""
    return attribution[::-1].copy(), reference[::-1].copy()


def exchange(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Take the one for the other."""
    return reference, attribution


def with_zero(attribution: np.ndarray, reference: np.ndarray) -> Pair:
    """Add a last section in which there is nothing."""
    return np.append(attribution, 0.0), np.append(reference, 0.0)


Change = Callable[[np.ndarray, np.ndarray], Pair]
BLIND_TO: dict[Change, set[str]] = {
    offset: {"pearson", "top_k_recall"},
    curve: {"spearman", "top_k_recall"},
    clip_attribution: {"overlap", "spearman", "onset_error", "wasserstein"},
    clip_reference: set(SCORES) - {"pearson"},
    shuffle: set(SCORES) - {"onset_error", "wasserstein"},
    mirror: set(SCORES) - {"onset_error"},
    exchange: set(SCORES) - {"top_k_recall"},
    with_zero: {"overlap", "top_k_recall", "onset_error"},
}
LOWEST: dict[Change, int] = {curve: 1, with_zero: 1}
"""Where the smallest attribution has to be positive; elsewhere it is negative."""


def moves(score: Compare, change: Change) -> bool:
    """Whether a change moves a score, or its being undefined, on any pair."""
    for pair in pairs(lowest=LOWEST.get(change, -4)):
        plain, changed = score(*pair), score(*change(*pair))
        if (plain.value is None) != (changed.value is None):
            return True
        if changed.value != pytest.approx(plain.value, abs=1e-9):
            return True
    return False


@every_score
@pytest.mark.parametrize("change", BLIND_TO, ids=lambda change: change.__name__)
def test_blind_to_what_is_said_and_to_nothing_else(
    score: Compare, spec: object, change: Change
) -> None:
    """A score keeps its value under the changes named, and under no other."""
    assert moves(score, change) == (score.__name__ not in BLIND_TO[change])


@every_score
@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), exponents=st.tuples(*[st.integers(-60, 60)] * 2))
def test_positive_scale_does_not_matter(
    score: Compare, spec: object, seed: int, exponents: tuple[int, int]
) -> None:
    """Multiplying either profile by a power of two changes not a bit."""
    attribution, reference = np.random.default_rng(seed).normal(size=(2, 9))
    reference[4] = 1.0
    one, other = (2.0**exponent for exponent in exponents)

    assert score(one * attribution, other * reference) == score(attribution, reference)


def test_an_offset_costs_what_counts_shares() -> None:
    """Each further step of an offset on the right answer makes these worse."""
    right = np.array([0.0, 0.0, 4.0, 0.0, 1.0, 0.0])
    for name, sign in (("overlap", 1.0), ("wasserstein", -1.0)):
        score, _ = SCORES[name]
        values = [score(right + c, right).value or 0.0 for c in (0.0, 0.1, 1.0, 100.0)]
        assert (np.diff(values) * sign < 0).all()


def test_wasserstein_is_a_fraction_of_the_depth_there_is() -> None:
    """A section with nothing at either end makes the same way a smaller part of it."""
    score, _ = SCORES["wasserstein"]
    for one, other in pairs(lowest=0):
        plain, size = score(one, other).value, len(one)
        assert plain is not None
        for before, after in ((0, 1), (1, 0), (3, 2)):
            padded = [np.pad(side, (before, after)) for side in (one, other)]
            expected = plain * size / (size + before + after)
            assert score(*padded).value == pytest.approx(expected, abs=1e-12)


def test_onset_error_is_blind_to_sections_before_all() -> None:
    """With nothing in them, both onsets move by as many."""
    score, _ = SCORES["onset_error"]
    for one, other in pairs(lowest=0):
        assert score(np.pad(one, (2, 0)), np.pad(other, (2, 0))) == score(one, other)


def test_ranks_see_the_order_alone() -> None:
    """Spearman's rho is blind to a curve on either side: it is Pearson's r of ranks."""
    spearman, _ = SCORES["spearman"]
    pearson, _ = SCORES["pearson"]
    for one, other in pairs(lowest=1):
        plain = spearman(one, other)
        assert spearman(np.sqrt(one), other**1.2) == plain
        ranks = [stats.rankdata(side) for side in (one, other)]
        assert pearson(*ranks).value == pytest.approx(plain.value)
