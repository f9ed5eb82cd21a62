import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.integrate import quad

from bench.scores.nulls import (
    ANALYTIC,
    BUMP_WIDTH,
    attention_bump,
    attention_only,
    attention_reversed_ramp,
    constant,
    depth_ramp,
    other_tasks,
    random_overlap,
    reversed_ramp,
)
from bench.scores.overlap import overlap
from bench.scores.shares import shares, why_undefined

every_null = pytest.mark.parametrize("name", ANALYTIC)


@st.composite
def references(draw: st.DrawFn) -> np.ndarray:
    """Draw a reference of 1 to 8 blocks with a positive part."""
    size = 2 * draw(st.integers(1, 8))
    values = draw(arrays(np.float64, size, elements=st.floats(-1.0, 10.0)))
    values[draw(st.integers(0, size - 1))] = 5.0
    return values


@every_null
@pytest.mark.parametrize("n_blocks", [1, 2, 13])
def test_nulls_are_attributions(name: str, n_blocks: int) -> None:
    """A null has one finite number a section, none negative, some positive."""
    null = ANALYTIC[name](2 * n_blocks)

    assert null.shape == (2 * n_blocks,)
    assert why_undefined(null, null) is None
    assert null.min() >= 0.0


@every_null
def test_nulls_do_not_share_memory(name: str) -> None:
    """Changing one null leaves the next call alone."""
    first = ANALYTIC[name](6)
    first[:] = -1.0

    assert ANALYTIC[name](6).min() >= 0.0


def test_ramps_by_hand() -> None:
    """The ramp rises by equal steps to 1; the reversed one mirrors it."""
    assert constant(4).tolist() == [1.0] * 4
    assert depth_ramp(4).tolist() == [0.25, 0.5, 0.75, 1.0]
    assert reversed_ramp(4).tolist() == [1.0, 0.75, 0.5, 0.25]


def test_attention_nulls_by_hand() -> None:
    """Attention sections are the even ones; MLP sections get nothing."""
    assert attention_only(4).tolist() == [1.0, 0.0, 1.0, 0.0]
    assert attention_reversed_ramp(4).tolist() == [1.0, 0.0, 0.5, 0.0]
    # depths 1/8 and 5/8 lie 3/8 and 1/8 from the middle
    expected = np.exp(-0.5 * (np.array([3 / 8, 1 / 8]) / BUMP_WIDTH) ** 2)
    np.testing.assert_allclose(attention_bump(4)[::2], expected)
    assert attention_bump(4)[1::2].tolist() == [0.0, 0.0]


def test_bump_peaks_in_the_middle() -> None:
    """The bump is largest at the attention section nearest the middle of the depth."""
    bump = attention_bump(26)

    assert int(np.argmax(bump)) == 12
    assert bump[12] > 10 * max(bump[0], bump[24])


def test_random_overlap_of_a_one_hot() -> None:
    """A random attribution puts 1 / S on a single right section."""
    assert random_overlap(np.eye(7)[2]) == pytest.approx(1 / 7)


def test_random_overlap_of_a_constant() -> None:
    """Against a constant it is 1 - (1 - 1/S)^S, near 1 - 1/e for many sections."""
    assert random_overlap(np.ones(4)) == pytest.approx(1 - 0.75**4)
    assert random_overlap(np.ones(5000)) == pytest.approx(1 - np.exp(-1), abs=1e-4)


def test_random_overlap_with_one_section() -> None:
    """With one section nothing else can be hit."""
    assert random_overlap(np.array([3.0])) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "reference",
    [[0.0, 5.0, 0.0, 1.0], [1.0, 1.0, -2.0, 1.0, 0.5, 0.1], [3.0, 1.0]],
    ids=["peak", "spread", "pair"],
)
def test_random_overlap_agrees_with_monte_carlo(reference: list[float]) -> None:
    """The closed form is the mean overlap of scaled exponentials."""
    rng = np.random.default_rng(1)
    target = np.clip(np.array(reference), 0.0, None)
    drawn = rng.dirichlet(np.ones(len(target)), size=100_000)
    found = np.minimum(drawn, target / target.sum()).sum(axis=1)

    error = found.std() / np.sqrt(len(found))
    assert random_overlap(np.array(reference)) == pytest.approx(
        found.mean(), abs=4 * error
    )


@settings(deadline=None, max_examples=20)
@given(reference=references(), seed=st.integers(0, 99))
def test_random_overlap_agrees_with_quadrature(
    reference: np.ndarray, seed: int
) -> None:
    """It is the sum of E min(share, t) under scipy's Beta, in any unit and any order.

    ``E min(share, t)`` is the integral up to t of the chance to lie above.
    """
    order = np.random.default_rng(seed).permutation(len(reference))
    above = stats.beta(1, len(reference) - 1).sf
    found = [quad(above, 0.0, t)[0] for t in shares(reference)]

    assert random_overlap(reference) == pytest.approx(sum(found), abs=1e-9)
    assert random_overlap(3.0 * reference[order]) == pytest.approx(sum(found), abs=1e-9)


def test_random_overlap_of_rows() -> None:
    """Many references at once give what single ones give."""
    rows = np.random.default_rng(0).random((5, 6))

    assert random_overlap(rows).tolist() == [random_overlap(row) for row in rows]


@settings(deadline=None, max_examples=50)
@given(reference=references())
def test_random_overlap_lies_between_its_limits(reference: np.ndarray) -> None:
    """It is least for a one-hot reference and greatest for a constant one."""
    size = len(reference)
    least, most = 1 / size, 1 - (1 - 1 / size) ** size

    assert least - 1e-12 <= random_overlap(reference) <= most + 1e-12


def test_no_other_tasks_is_no_null() -> None:
    """Where there is no other task, there is no such null."""
    assert other_tasks([], n_sections=8) is None


@settings(deadline=None, max_examples=50)
@given(reference=references())
def test_other_task_of_equal_depth_is_itself(reference: np.ndarray) -> None:
    """At an equal number of blocks a reference is carried over unchanged."""
    moved = other_tasks([reference], n_sections=len(reference))

    assert moved is not None
    np.testing.assert_allclose(moved, shares(reference), atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(reference=references(), n_blocks=st.integers(1, 20))
def test_other_tasks_keep_their_mass(reference: np.ndarray, n_blocks: int) -> None:
    """Attention and MLP shares keep their sums at any depth."""
    moved = other_tasks([reference], n_sections=2 * n_blocks)
    held = shares(reference)

    assert moved is not None
    assert moved.shape == (2 * n_blocks,)
    assert moved.min() >= -1e-12
    assert moved[::2].sum() == pytest.approx(held[::2].sum(), abs=1e-12)
    assert moved[1::2].sum() == pytest.approx(held[1::2].sum(), abs=1e-12)


def test_other_tasks_by_hand() -> None:
    """Twice the depth halves each share; three blocks to two split the middle one."""
    doubled = other_tasks([np.array([3.0, 1.0])], n_sections=4)
    assert doubled is not None
    np.testing.assert_allclose(doubled, [0.375, 0.125, 0.375, 0.125])

    fewer = other_tasks([np.array([0.2, 0.0, 0.6, 0.0, 0.2, 0.0])], n_sections=4)
    assert fewer is not None
    np.testing.assert_allclose(fewer, [0.5, 0.0, 0.5, 0.0])


def test_other_tasks_are_averaged_as_shares() -> None:
    """Each task counts alike, whatever the size of its numbers."""
    found = other_tasks([100 * np.eye(4)[0], 0.1 * np.eye(4)[2]], n_sections=4)

    assert found is not None
    np.testing.assert_allclose(found, [0.5, 0.0, 0.5, 0.0])


def test_no_null_wins_on_a_late_mlp() -> None:
    """On a one-hot reference each null scores the share that it puts there."""
    reference = np.eye(8)[5]
    found = {n: overlap(null(8), reference).value for n, null in ANALYTIC.items()}

    assert found["constant"] == pytest.approx(1 / 8)
    assert found["depth-ramp"] == pytest.approx(6 / 36)
    assert found["reversed-ramp"] == pytest.approx(3 / 36)
    assert found["attention-only"] == 0.0
