"""Every score where its value is known by hand: reversed, constant, tied, empty."""

import numpy as np
import pytest

from bench.scores.shares import NO_REFERENCE, NOTHING_POSITIVE
from tests.scores.every_score import SCORES

CONSTANT = "one of the two profiles is constant"

CASES: dict[str, tuple[list[float], list[float]]] = {
    "reversed": ([4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]),
    "other end": ([0.0, 0.0, 0.0, 5.0], [2.0, 0.0, 0.0, 0.0]),
    "constant": ([0.7] * 4, [0.0, 0.0, 1.0, 3.0]),
    "one section": ([0.3], [7.0]),
    "one of two equal": ([0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]),
    "two equal for one": ([0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]),
    "nothing positive": ([-1.0, -2.0, -3.0, -4.0], [1.0, 2.0, 3.0, 4.0]),
    "zero": ([0.0] * 4, [1.0, 2.0, 3.0, 4.0]),
    "no reference": ([1.0, 2.0, 3.0, 4.0], [-1.0, -2.0, -3.0, -4.0]),
    "empty": ([], []),
}
"""Attribution and reference."""

LIMITS: dict[str, dict[str, float | str]] = {
    "overlap": {
        "reversed": 0.6,  # tenths: 1 + 2 + 2 + 1
        "other end": 0.0,
        "constant": 0.5,  # a quarter in each of the last two
        "one section": 1.0,
        "one of two equal": 0.5,
        "two equal for one": 0.5,
        "nothing positive": NOTHING_POSITIVE,
        "zero": NOTHING_POSITIVE,
        "no reference": NO_REFERENCE,
        "empty": NOTHING_POSITIVE,
    },
    "pearson": {
        "reversed": -1.0,
        "other end": -1 / 3,  # -1 / (S - 1)
        "constant": CONSTANT,
        "one section": CONSTANT,
        "one of two equal": 3**-0.5,
        "two equal for one": 3**-0.5,
        "nothing positive": -1.0,  # blind to where zero lies
        "zero": CONSTANT,
        "no reference": -1.0,
        "empty": CONSTANT,
    },
    "spearman": {
        "reversed": -1.0,
        "other end": -1 / 3,
        "constant": CONSTANT,
        "one section": CONSTANT,
        "one of two equal": 3**-0.5,
        "two equal for one": 3**-0.5,
        "nothing positive": CONSTANT,
        "zero": CONSTANT,
        "no reference": CONSTANT,
        "empty": CONSTANT,
    },
    "top_k_recall": {
        "reversed": 2 / 3,  # the last three hold nine tenths, of the first three two
        "other end": 0.0,
        "constant": 0.5,  # two of four
        "one section": 1.0,
        "one of two equal": 2 / 3,  # the second place goes to one of three
        "two equal for one": 0.5,
        "nothing positive": NOTHING_POSITIVE,
        "zero": NOTHING_POSITIVE,
        "no reference": NO_REFERENCE,
        "empty": NOTHING_POSITIVE,
    },
    "onset_error": {
        "reversed": 0.0,  # the first section has a tenth on both sides
        "other end": 3.0,
        "constant": 2.0,
        "one section": 0.0,
        "one of two equal": 1.0,
        "two equal for one": 1.0,
        "nothing positive": NOTHING_POSITIVE,
        "zero": NOTHING_POSITIVE,
        "no reference": NO_REFERENCE,
        "empty": NOTHING_POSITIVE,
    },
    "wasserstein": {
        "reversed": 0.25,  # 3, 4 and 3 tenths go on to the next of four
        "other end": 0.75,
        "constant": 0.3125,  # 1, 2 and 2 quarters go on to the next of four
        "one section": 0.0,
        "one of two equal": 0.125,  # half of it by one section
        "two equal for one": 0.125,
        "nothing positive": NOTHING_POSITIVE,
        "zero": NOTHING_POSITIVE,
        "no reference": NO_REFERENCE,
        "empty": NOTHING_POSITIVE,
    },
}


def test_every_score_has_its_limits() -> None:
    """A new score is not in the package before its limits are here."""
    assert set(LIMITS) == set(SCORES)
    assert all(set(limits) == set(CASES) for limits in LIMITS.values())


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("case", CASES)
def test_limit_by_hand(name: str, case: str) -> None:
    """The score is what it was worked out to be, or undefined for that reason."""
    attribution, reference = (np.array(side, dtype=float) for side in CASES[case])
    expected = LIMITS[name][case]
    found = SCORES[name][0](attribution, reference)

    if isinstance(expected, str):
        assert (found.value, found.undefined) == (None, expected)
    else:
        assert found.value == pytest.approx(expected, abs=1e-12)
