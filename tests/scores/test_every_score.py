"""What holds for every score that compares an attribution with a reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.results.scoring import SHOWN, SPECS
from bench.scores.overlap import OVERLAP
from bench.scores.score import Score, ScoreSpec
from bench.scores.shares import NO_REFERENCE, NOT_FINITE
from tests.scores.every_score import SCORES, Compare, best, every_score, scores_but

PROFILE = np.array([0.0, 0.1, 3.0, 0.4, -0.2, 1.0, 0.05, 0.7])
VALUES = st.floats(-1e3, 1e3, allow_subnormal=False)
# few whole numbers: ties occur everywhere
POSITIVE = arrays(np.float64, 6, elements=st.integers(0, 4).map(float)).filter(np.any)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw two profiles of one length, the reference with a positive part."""
    size = draw(st.integers(1, 12))
    attribution = draw(arrays(np.float64, size, elements=VALUES))
    reference = draw(arrays(np.float64, size, elements=VALUES))
    reference[draw(st.integers(0, size - 1))] = draw(st.floats(1e-3, 1e3))
    return attribution, reference


def test_every_declared_score_is_shown() -> None:
    """What a module declares stands in the results, beside the overlap that ranks."""
    beside = {name: found for name, found in SCORES.items() if name != OVERLAP.name}

    assert {name: score for name, (score, _) in beside.items()} == SHOWN
    assert {spec.name: spec for spec in SPECS} == {n: s for n, (_, s) in beside.items()}


@every_score
def test_the_reference_itself_is_perfect(score: Compare, spec: ScoreSpec) -> None:
    """A method that returns the reference reaches the best value there is."""
    assert score(PROFILE, PROFILE).value == pytest.approx(best(spec), abs=1e-12)
    assert score(7.5 * PROFILE, PROFILE).value == pytest.approx(best(spec), abs=1e-12)


@every_score
@settings(deadline=None, max_examples=60)
@given(reference=POSITIVE)
def test_every_reference_is_perfect(
    score: Compare, spec: ScoreSpec, reference: np.ndarray
) -> None:
    """Whatever the reference, ties and all, nothing is better than itself."""
    found = score(reference, reference)
    if found.value is not None:
        assert found.value == pytest.approx(best(spec), abs=1e-12)


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


def assert_never_worse(
    spec: ScoreSpec, score: Compare, answers: list[np.ndarray], reference: np.ndarray
) -> None:
    """Check that every answer is at least as good as the one before."""
    values = [score(answer, reference).value for answer in answers]
    defined = np.array([value for value in values if value is not None])
    gains = np.diff(defined) if spec.better == "higher" else -np.diff(defined)
    assert (gains >= -1e-9).all()


BLEND_MAY_COST = {"spearman"}
"""Ranks on the way to the reference may cross and cross back."""
SORTING_MAY_COST = {"onset_error", "wasserstein"}
"""What is exchanged may have lain nearer in depth."""


@scores_but(BLEND_MAY_COST)
@settings(deadline=None, max_examples=60)
@given(wrong=POSITIVE, reference=POSITIVE)
def test_more_of_the_reference_is_never_worse(
    score: Compare, spec: ScoreSpec, wrong: np.ndarray, reference: np.ndarray
) -> None:
    """From any answer straight to the reference each step is one in the direction.

    It is what the declared direction means, and holds by convexity: of the total
    variation and Wasserstein distances, of the angle, of the order of any two sections.
    """
    start, end = wrong / wrong.sum(), reference / reference.sum()
    way = [(1 - part) * start + part * end for part in (0.0, 0.3, 0.6, 0.9, 1.0)]

    assert_never_worse(spec, score, way, reference)


@scores_but(SORTING_MAY_COST)
@settings(deadline=None, max_examples=60)
@given(
    wrong=POSITIVE,
    reference=POSITIVE,
    pair=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_a_pair_in_the_right_order_is_never_worse(
    score: Compare,
    spec: ScoreSpec,
    wrong: np.ndarray,
    reference: np.ndarray,
    pair: tuple[int, int],
) -> None:
    """Of two sections the larger value belongs where the reference is larger."""
    ascending = sorted(pair, key=lambda section: reference[section])
    right = wrong.copy()
    right[ascending] = np.sort(wrong[ascending])

    assert_never_worse(spec, score, [wrong, right], reference)


def test_every_direction_is_tested() -> None:
    """No score is left out of both."""
    assert not BLEND_MAY_COST & SORTING_MAY_COST
    assert set(SCORES) >= BLEND_MAY_COST | SORTING_MAY_COST


@every_score
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_is_undefined(score: Compare, spec: ScoreSpec, bad: float) -> None:
    """NaN or infinity on either side leaves no value, with the reason."""
    broken = PROFILE.copy()
    broken[3] = bad

    assert score(broken, PROFILE) == Score(None, NOT_FINITE)
    assert score(PROFILE, broken) == Score(None, NO_REFERENCE)


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
