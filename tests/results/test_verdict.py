import numpy as np
import pytest

from bench.results.verdict import verdict

SECTIONS = ("attn 0", "mlp 0", "attn 1", "mlp 1", "attn 2", "mlp 2")
REFERENCE = np.array([0, 0, 4, 3, 0, 3.0])


@pytest.mark.parametrize(
    ("attribution", "expected"),
    [
        ([0, 0, 4, 3, 0, 3], "finds the onset, attn 1, mlp 1, mlp 2"),
        ([0, 0, 8, 6, -5, 6], "finds the onset, attn 1, mlp 1, mlp 2"),
        (
            [0, 0, 5, 5, 0, 0],
            "finds the onset; misses mlp 2; too much on mlp 1 (+0.20), attn 1 (+0.10)",
        ),
        (
            [0, 0, 1, 0, 0, 0],
            "finds the onset; misses mlp 1, mlp 2; too much on attn 1 (+0.60)",
        ),
        (
            [0, 0, 0, 3, 4, 3],
            "sets in 1 section late; misses attn 1; too much on attn 2 (+0.40)",
        ),
        (
            [4, 0, 4, 3, 0, 3],
            "sets in 2 sections early; finds attn 1, mlp 1, mlp 2; too much on attn 0 "
            "(+0.29)",
        ),
        ([0, 0, -1, 0, 0, 0], "undefined: the attribution is nowhere positive"),
    ],
)
def test_by_hand(attribution: list[float], expected: str) -> None:
    """What is found, missed and misplaced is named."""
    assert (
        verdict(np.array(attribution, float), REFERENCE, sections=SECTIONS) == expected
    )


def test_long_lists_are_cut() -> None:
    """Of many sections four are named and the others counted."""
    names = [f"s{i}" for i in range(10)]
    found = verdict(np.eye(10)[9], np.ones(10), sections=names)

    assert found == (
        "sets in 9 sections late; misses s0, s1, s2, s3 and 5 more; "
        "too much on s9 (+0.90)"
    )


def test_scale_changes_nothing() -> None:
    """Only shares are spoken of."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        own, target = rng.normal(0.0, 1.0, 6), rng.uniform(0.0, 1.0, 6)
        said = verdict(own, target, sections=SECTIONS)
        assert verdict(7 * own, target / 3, sections=SECTIONS) == said
