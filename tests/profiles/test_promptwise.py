import numpy as np
import pytest

from bench.profiles.promptwise import PROFILES, PromptwiseReference, composition


@pytest.fixture
def reference() -> PromptwiseReference:
    """Three prompts, two sections, numbers that are easy to work by hand."""
    return PromptwiseReference(
        gain=np.array([[0.0, 3.0], [1.0, 3.0], [2.0, 6.0]]),
        signature=np.array([1.0, 2.0, 3.0]),
        ablated=np.array([[0.0, 2.0], [0.5, 2.0], [1.0, 5.0]]),
    )


def test_sizes(reference: PromptwiseReference) -> None:
    """Prompts and sections are counted off the arrays."""
    assert (reference.n_prompts, reference.n_sections) == (3, 2)


def test_emergence_is_the_mean_gain(reference: PromptwiseReference) -> None:
    """Emergence averages the gain over prompts."""
    assert reference.profile("emergence").tolist() == [1.0, 4.0]


def test_composition_is_a_ratio_of_means() -> None:
    """Composition is one minus mean ablated over mean signature, not a mean ratio."""
    found = composition(np.array([1.0, 3.0]), np.array([[0.0, 3.0], [3.0, 3.0]]))

    np.testing.assert_allclose(found, [1 - 1.5 / 2, 1 - 3 / 2])


def test_composition_profile_is_clipped(reference: PromptwiseReference) -> None:
    """A section whose ablation raises the signature counts as zero."""
    raw = composition(reference.signature, reference.ablated)

    np.testing.assert_allclose(raw, [0.75, -0.5])
    np.testing.assert_allclose(reference.profile("composition"), [0.75, 0.0])


def test_composition_is_clipped_from_above() -> None:
    """A signature that turns negative under ablation counts as wholly lost."""
    reference = PromptwiseReference(
        gain=np.zeros((1, 2)),
        signature=np.array([2.0]),
        ablated=np.array([[-1.0, 0.0]]),
    )

    assert reference.profile("composition").tolist() == [1.0, 1.0]


def test_profiles_over_some_prompts(reference: PromptwiseReference) -> None:
    """Rows may be chosen and repeated, each repeat counting."""
    rows = np.array([0, 0, 2])

    np.testing.assert_allclose(reference.profile("emergence", rows), [2 / 3, 4.0])
    np.testing.assert_allclose(
        reference.profile("composition", rows), [1 - (1 / 3) / (5 / 3), 0.0]
    )


@pytest.mark.parametrize("name", PROFILES)
def test_prompt_order_does_not_matter(name: str) -> None:
    """Any order of all prompts gives the same profile."""
    rng = np.random.default_rng(0)
    reference = PromptwiseReference(
        gain=rng.random((6, 4)),
        signature=rng.random(6) + 1.0,
        ablated=rng.random((6, 4)),
    )
    chosen = PROFILES[PROFILES.index(name)]

    np.testing.assert_allclose(
        reference.profile(chosen, rng.permutation(6)), reference.profile(chosen)
    )
