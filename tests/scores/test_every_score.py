"""What holds for every score that compares an attribution with a reference."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.scores.correlation import PEARSON, SPEARMAN, pearson, spearman
from bench.scores.depth import ONSET_ERROR, WASSERSTEIN, onset_error, wasserstein
from bench.scores.overlap import OVERLAP, overlap
from bench.scores.recall import TOP_K_RECALL, top_k_recall
from bench.scores.score import Score, ScoreSpec
from bench.scores.shares import NO_REFERENCE, NOT_FINITE, NOTHING_POSITIVE

Compare = Callable[[np.ndarray, np.ndarray], Score]

SCORES: dict[str, tuple[Compare, ScoreSpec]] = {
    "overlap": (overlap, OVERLAP),
    "pearson": (pearson, PEARSON),
    "spearman": (spearman, SPEARMAN),
    "onset_error": (onset_error, ONSET_ERROR),
    "wasserstein": (wasserstein, WASSERSTEIN),
    "top_k_recall": (top_k_recall, TOP_K_RECALL),
}
every_score = pytest.mark.parametrize(
    ("score", "spec"), SCORES.values(), ids=SCORES.keys()
)
by_shares = pytest.mark.parametrize(
    "score",
    [overlap, onset_error, wasserstein, top_k_recall],
    ids=lambda score: score.__name__,
)
without_depth = pytest.mark.parametrize(
    "score", [overlap, pearson, spearman, top_k_recall], ids=lambda s: s.__name__
)

PROFILE = np.array([0.0, 0.1, 3.0, 0.4, -0.2, 1.0, 0.05, 0.7])
VALUES = st.floats(-1e3, 1e3, allow_subnormal=False)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw two profiles of one length, the reference with a positive part."""
    size = draw(st.integers(1, 12))
    attribution = draw(arrays(np.float64, size, elements=VALUES))
    reference = draw(arrays(np.float64, size, elements=VALUES))
    reference[draw(st.integers(0, size - 1))] = draw(st.floats(1e-3, 1e3))
    return attribution, reference


@every_score
def test_the_reference_itself_is_perfect(score: Compare, spec: ScoreSpec) -> None:
    """A method that returns the reference reaches the best value there is."""
    best = spec.highest if spec.better == "higher" else spec.lowest

    assert score(PROFILE, PROFILE).value == pytest.approx(best, abs=1e-12)
    assert score(7.5 * PROFILE, PROFILE).value == pytest.approx(best, abs=1e-12)


@every_score
@settings(deadline=None, max_examples=60)
@given(pair=pairs())
def test_values_keep_within_their_bounds(
    score: Compare, spec: ScoreSpec, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """A score is a finite number within the bounds that it declares, or undefined."""
    found = score(*pair).value
    if found is not None:
        assert np.isfinite(found)
        assert found >= spec.lowest
        assert found <= (len(pair[0]) if spec.highest is None else spec.highest)


@every_score
@settings(deadline=None, max_examples=60)
@given(pair=pairs(), exponent=st.integers(-60, 60))
def test_positive_scale_does_not_matter(
    score: Compare,
    spec: ScoreSpec,
    pair: tuple[np.ndarray, np.ndarray],
    exponent: int,
) -> None:
    """Multiplying either profile by a power of two changes nothing."""
    attribution, reference = pair
    plain = score(attribution, reference)

    assert score(attribution * 2.0**exponent, reference) == plain
    assert score(attribution, reference * 2.0**exponent) == plain


@without_depth
@settings(deadline=None, max_examples=60)
@given(pair=pairs(), seed=st.integers(0, 2**32 - 1))
def test_order_of_sections_does_not_matter(
    score: Compare, pair: tuple[np.ndarray, np.ndarray], seed: int
) -> None:
    """Scores that ignore depth keep their value when both profiles are permuted."""
    attribution, reference = pair
    # equal values of the reference would leave open which sections are the main ones
    reference = reference + np.linspace(1.0, 2.0, len(reference))
    order = np.random.default_rng(seed).permutation(len(reference))
    plain, moved = (
        score(attribution, reference),
        score(attribution[order], reference[order]),
    )

    assert moved.undefined == plain.undefined
    assert moved.value == pytest.approx(plain.value, abs=1e-9)


@by_shares
@settings(deadline=None, max_examples=60)
@given(pair=pairs())
def test_negative_parts_of_the_reference_count_as_nothing(
    score: Compare, pair: tuple[np.ndarray, np.ndarray]
) -> None:
    """Clipping the reference at zero beforehand changes no score of shares."""
    attribution, reference = pair

    clipped = np.clip(reference, 0.0, None)
    assert score(attribution, clipped) == score(attribution, reference)


@every_score
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_undefined(score: Compare, spec: ScoreSpec, bad: float) -> None:
    """NaN or infinity on either side leaves no value, with the reason."""
    broken = PROFILE.copy()
    broken[3] = bad

    assert score(broken, PROFILE) == Score(None, NOT_FINITE)
    assert score(PROFILE, broken) == Score(None, NO_REFERENCE)


@by_shares
@pytest.mark.parametrize("sign", [0.0, -1.0], ids=["zero", "negative"])
def test_nothing_positive_is_undefined(score: Compare, sign: float) -> None:
    """A profile without positive part has no shares, so there is no score of them."""
    nothing = sign * np.ones(8)

    assert score(nothing, PROFILE) == Score(None, NOTHING_POSITIVE)
    assert score(PROFILE, nothing) == Score(None, NO_REFERENCE)


@every_score
@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_extreme_magnitudes_change_nothing(
    score: Compare, spec: ScoreSpec, scale: float
) -> None:
    """Huge and tiny values give what ordinary ones give, without a warning."""
    attribution = PROFILE[::-1].copy()
    plain = score(attribution, PROFILE).value

    assert score(scale * attribution, PROFILE).value == pytest.approx(plain)
    assert score(attribution, scale * PROFILE).value == pytest.approx(plain)


@every_score
def test_largest_and_smallest_floats(score: Compare, spec: ScoreSpec) -> None:
    """The extremes of float64 beside each other neither overflow nor warn."""
    extreme = np.array([1.7e308, -1.7e308, 5e-324, 0.0])

    assert score(extreme, np.array([1.0, -1.0, 0.0, 0.0])).value is not None


@by_shares
def test_one_section_is_always_perfect(score: Compare) -> None:
    """With a single section any positive attribution lies on it."""
    best = 1.0 if score in (overlap, top_k_recall) else 0.0

    assert score(np.array([0.3]), np.array([7.0])) == Score(best)
