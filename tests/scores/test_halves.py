import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.profiles.promptwise import PROFILES, ProfileName, PromptwiseReference
from bench.scores import halves
from bench.scores.halves import N_SPLITS, ceiling, reliability, split_halves
from bench.scores.score import Score

every_profile = pytest.mark.parametrize("name", PROFILES)


def make_reference(*, noise: float, n_prompts: int = 12) -> PromptwiseReference:
    """Make prompts that share one profile up to noise."""
    rng = np.random.default_rng(5)
    gain = np.tile([0.1, 0.0, 2.0, 0.3], (n_prompts, 1))
    ablated = np.tile([0.1, 0.9, 0.0, 0.8], (n_prompts, 1))
    return PromptwiseReference(
        gain=gain + noise * rng.normal(size=gain.shape),
        signature=np.ones(n_prompts),
        ablated=ablated + noise * rng.normal(size=gain.shape),
    )


@pytest.mark.parametrize("n_prompts", [2, 3, 16, 17])
def test_halves_are_disjoint(n_prompts: int) -> None:
    """Halves share no prompt, are of equal size, and leave out one at most."""
    for one, other in split_halves(n_prompts):
        assert len(one) == len(other) == n_prompts // 2
        assert not set(one.tolist()) & set(other.tolist())
        assert set(one.tolist()) | set(other.tolist()) <= set(range(n_prompts))


def test_splits_are_fixed() -> None:
    """Every run goes through the same splits, and they differ from each other."""
    first = [one.tolist() for one, _ in split_halves(16)]

    assert first == [one.tolist() for one, _ in split_halves(16)]
    assert len(first) == N_SPLITS
    assert len({tuple(sorted(one)) for one in first}) > 0.95 * N_SPLITS


@every_profile
def test_identical_prompts_are_perfectly_reliable(name: ProfileName) -> None:
    """Without prompt noise both reliability and ceiling are 1."""
    reference = make_reference(noise=0.0)

    assert reliability(reference, name).value == pytest.approx(1.0)
    assert ceiling(reference, name).value == pytest.approx(1.0)


@every_profile
def test_noise_lowers_both(name: ProfileName) -> None:
    """More prompt noise means less reliability and a lower ceiling."""
    quiet, loud = make_reference(noise=0.05), make_reference(noise=1.0)

    for score in (reliability, ceiling):
        assert (
            1.0 > (score(quiet, name).value or 0.0) > (score(loud, name).value or 0.0)
        )


def naive_profile(
    reference: PromptwiseReference, name: ProfileName, rows: list[int]
) -> list[float]:
    """Compute a profile with plain loops."""
    result: list[float] = []
    for section in range(reference.n_sections):
        if name == "emergence":
            gains = [float(reference.gain[r, section]) for r in rows]
            result.append(sum(gains) / len(rows))
            continue
        kept = sum(float(reference.ablated[r, section]) for r in rows)
        lost = 1 - kept / sum(float(reference.signature[r]) for r in rows)
        result.append(min(1.0, max(0.0, lost)))
    return result


def naive_halves(
    reference: PromptwiseReference, name: ProfileName
) -> list[tuple[list[float], list[float]]]:
    """Compute both halves' profiles for every split."""
    return [
        (
            naive_profile(reference, name, one.tolist()),
            naive_profile(reference, name, other.tolist()),
        )
        for one, other in split_halves(reference.n_prompts)
    ]


@every_profile
def test_reliability_agrees_with_a_naive_loop(name: ProfileName) -> None:
    """Spearman-Brown of the mean correlation between halves."""
    reference = make_reference(noise=0.3)
    found = [np.corrcoef(a, b)[0, 1] for a, b in naive_halves(reference, name)]
    mean = sum(found) / len(found)

    expected = 2 * mean / (1 + mean)
    assert reliability(reference, name).value == pytest.approx(expected)


@every_profile
def test_ceiling_agrees_with_a_naive_loop(name: ProfileName) -> None:
    """The mean share that both halves put on the same sections."""
    reference = make_reference(noise=0.3)
    found: list[float] = []
    for pair in naive_halves(reference, name):
        one, other = ([max(0.0, x) for x in half] for half in pair)
        both = zip(one, other, strict=True)
        found.append(sum(min(a / sum(one), b / sum(other)) for a, b in both))

    expected = sum(found) / len(found)
    assert ceiling(reference, name).value == pytest.approx(expected)


def test_opposite_prompts_have_negative_reliability() -> None:
    """A mean correlation below zero is not stepped up, and stays a number."""
    gain = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    reference = PromptwiseReference(
        gain=gain, signature=np.ones(2), ablated=np.zeros((2, 3))
    )

    assert reliability(reference, "emergence").value == pytest.approx(-1.0)


def test_constant_half_has_no_reliability() -> None:
    """Where a half's profile is constant there is no correlation."""
    reference = PromptwiseReference(
        gain=np.ones((4, 3)), signature=np.ones(4), ablated=np.zeros((4, 3))
    )

    assert reliability(reference, "emergence") == Score(
        None, "a half of the prompts gives a constant profile"
    )


@pytest.mark.parametrize("bad", [0, 1, 2, 3])
def test_half_without_positive_part_has_no_ceiling(bad: int) -> None:
    """A half that is nowhere positive leaves no ceiling, whichever half it is."""
    gain = np.ones((4, 3))
    gain[bad] = -5.0
    reference = PromptwiseReference(
        gain=gain, signature=np.ones(4), ablated=np.zeros((4, 3))
    )

    assert ceiling(reference, "emergence") == Score(
        None, "a half of the prompts gives a profile that is not positive"
    )


@every_profile
@pytest.mark.parametrize("n_prompts", [0, 1])
def test_what_cannot_be_halved_is_undefined(name: ProfileName, n_prompts: int) -> None:
    """Empty halves are a state with its reason, and no warning."""
    reference = make_reference(noise=0.1, n_prompts=n_prompts)

    for score in (reliability, ceiling):
        assert score(reference, name) == Score(None, "a single prompt has no halves")


def gains_only(gain: np.ndarray) -> PromptwiseReference:
    """Make a reference of which the emergence alone is looked at."""
    return PromptwiseReference(
        gain=gain, signature=np.ones(len(gain)), ablated=np.zeros(gain.shape)
    )


@pytest.mark.parametrize("size", [2, 6])
def test_ceiling_of_unrelated_prompts(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two halves that know nothing of each other share S / (2 S - 1) on average.

    Shares uniform on the simplex are Beta(1, S - 1), and the smaller of two of these
    is Beta(1, 2 S - 2).
    """
    monkeypatch.setattr(halves, "N_SPLITS", 1)  # of two prompts there are no more
    rng = np.random.default_rng(3)
    drawn = rng.dirichlet(np.ones(size), size=(500, 2))
    found = [ceiling(gains_only(pair), "emergence").value for pair in drawn]
    values = np.array(found, dtype=float)

    error = float(values.std() / np.sqrt(len(values)))
    assert values.mean() == pytest.approx(size / (2 * size - 1), abs=4 * error)


def test_ceiling_of_halves_without_a_common_section() -> None:
    """Two prompts that lie elsewhere leave a ceiling of 0, which is a number."""
    assert ceiling(gains_only(np.eye(2)), "emergence") == Score(0.0)


@every_profile
def test_units_and_names_of_sections_do_not_matter(name: ProfileName) -> None:
    """Scale and order of sections, the same in every prompt, change nothing."""
    plain = make_reference(noise=0.3)
    order = np.array([2, 0, 3, 1])
    changed = PromptwiseReference(
        gain=8.0 * plain.gain[:, order],
        signature=8.0 * plain.signature,
        ablated=8.0 * plain.ablated[:, order],
    )

    for score in (reliability, ceiling):
        assert score(changed, name).value == pytest.approx(score(plain, name).value)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), shift=st.sampled_from([-1.0, 0.0, 1.0]))
def test_both_keep_within_their_bounds(seed: int, shift: float) -> None:
    """An overlap and a correlation, whatever the prompts, or undefined."""
    rng = np.random.default_rng(seed)
    reference = gains_only(rng.normal(shift, 1.0, (int(rng.integers(2, 6)), 4)))
    top, sure = ceiling(reference, "emergence"), reliability(reference, "emergence")

    assert top.value is None or 0.0 <= top.value <= 1.0
    assert sure.value is None or -1.0 <= sure.value <= 1.0
