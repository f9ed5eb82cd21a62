import numpy as np

from bench.leaderboard.front import Candidate, on_front


def test_by_hand() -> None:
    """Dearer and no better is outdone; equals for one cost share the front."""
    found = on_front(
        [
            Candidate("cheap", 1.0, 0.2),
            Candidate("dear", 9.0, 0.8),
            Candidate("worse", 9.0, 0.7),
            Candidate("as-good", 9.0, 0.8),
            Candidate("as-good-and-dearer", 10.0, 0.8),
            Candidate("outdone", 5.0, 0.1),
        ]
    )

    assert found == {"cheap", "dear", "as-good", "as-good-and-dearer"}
    assert on_front([]) == frozenset()


def test_every_pair() -> None:
    """It is what comparing all pairs gives, ties included."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        drawn = rng.integers(0, 5, size=(12, 2)).astype(float)
        candidates = [Candidate(f"m{i}", *map(float, d)) for i, d in enumerate(drawn)]
        expected = {
            own.method
            for own in candidates
            if not any(c.cost <= own.cost and c.skill > own.skill for c in candidates)
        }
        assert on_front(candidates) == expected
