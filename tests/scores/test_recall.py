from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.scores.recall import main_sections, top_k_recall

FEW = arrays(np.float64, 5, elements=st.integers(0, 3).map(float))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ([0.0, 0.0, 1.0, 0.0], (2,)),
        ([2.0, 0.0, 8.0], (2,)),  # exactly 80 % is enough
        ([2.1, 0.0, 7.9], (2, 0)),
        ([1.0, 1.0], (0, 1)),
        ([0.1, 0.5, 0.4, -7.0], (1, 2)),
        ([2.0, 1.0, 2.0, 2.0, 2.0, 1.0], (0, 2, 3, 4)),  # sums of fifths round
        ([1.0] * 5, (0, 1, 2, 3, 4)),  # none of five is the last
        ([0.7, 0.15, 0.0, 0.15], (0, 1, 3)),
    ],
)
def test_main_sections_by_hand(
    reference: list[float], expected: tuple[int, ...]
) -> None:
    """The fewest sections that hold 80 %, the largest first."""
    assert main_sections(np.array(reference)) == expected


def test_constant_has_the_recall_of_chance() -> None:
    """A constant recalls k of S sections."""
    assert top_k_recall(np.ones(8), np.eye(8)[3]).value == pytest.approx(1 / 8)
    pair = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    assert top_k_recall(np.ones(8), pair).value == pytest.approx(2 / 8)


def test_only_order_matters() -> None:
    """Any attribution that ranks the main sections first is perfect."""
    reference = np.array([0.0, 5.0, 0.0, 5.0])

    assert top_k_recall(np.array([0.8, 0.9, -5.0, 7.0]), reference).value == 1.0


def recall_of_every_order(attribution: np.ndarray, wanted: set[int]) -> float:
    """Average recall over all ways to break the ties, each equally likely."""
    sections = range(len(attribution))
    found: list[int] = []
    for tiebreak in permutations(sections):
        order = sorted(sections, key=lambda s: (-attribution[s], tiebreak[s]))
        found.append(len(wanted & set(order[: len(wanted)])))
    return sum(found) / len(found) / len(wanted)


@settings(deadline=None, max_examples=40)
@given(
    attribution=FEW.filter(lambda x: x.max() > 0),
    reference=FEW.filter(lambda x: x.max() > 0),
)
def test_recall_under_ties_agrees_with_enumeration(
    attribution: np.ndarray, reference: np.ndarray
) -> None:
    """The closed form equals the mean over every order of tied sections."""
    wanted = set(main_sections(reference))
    expected = recall_of_every_order(attribution, wanted)

    assert top_k_recall(attribution, reference).value == pytest.approx(expected)
