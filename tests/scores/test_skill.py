import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.scores.score import Score, undefined
from bench.scores.skill import OWN_UNTRAINED, Yardstick, skill, skills

YARDSTICK = Yardstick(nulls={"constant": 0.2, "attention-only": 0.5}, ceiling=0.9)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (0.5, 0.0),  # no better than the best null
        (0.9, 1.0),  # the ceiling
        (0.7, 0.5),
        (0.4, -0.25),
        (1.0, 1.0),  # above the ceiling: clipped
        (0.0, -1.0),  # far below: clipped
    ],
)
def test_skill_by_hand(overlap: float, expected: float) -> None:
    """Skill is linear between the best null and the ceiling, and clipped."""
    assert skill(Score(overlap), YARDSTICK).value == pytest.approx(expected)


def test_undefined_overlap_stays_undefined() -> None:
    """The reason is handed on."""
    missing = undefined("nothing positive")

    assert skill(missing, YARDSTICK) == missing


@pytest.mark.parametrize("ceiling", [0.5, 0.4], ids=["reached", "passed"])
def test_no_room_is_undefined(ceiling: float) -> None:
    """Where a null reaches the ceiling there is no skill."""
    yardstick = Yardstick(nulls=YARDSTICK.nulls, ceiling=ceiling)

    assert skill(Score(1.0), yardstick) == Score(
        None,
        "a null reaches the ceiling, so there is no room for skill",
    )
    assert not yardstick.ranked


def test_best_null_is_the_highest() -> None:
    """Name and overlap of the best null are those of the highest one."""
    assert YARDSTICK.best_null == ("attention-only", 0.5)
    assert YARDSTICK.room == pytest.approx(0.4)


def test_best_null_among_equals_is_the_first_by_name() -> None:
    """Ties are broken by name, whatever the order of the entries."""
    one = Yardstick(nulls={"b": 0.5, "a": 0.5, "c": 0.1}, ceiling=1.0)
    other = Yardstick(nulls={"c": 0.1, "a": 0.5, "b": 0.5}, ceiling=1.0)

    assert one.best_null == other.best_null == ("a", 0.5)


@pytest.mark.parametrize(
    ("null", "ceiling", "ranked"),
    [(0.25, 0.75, True), (0.0, 0.3, True), (0.0, 0.299, False), (0.9, 1.0, False)],
)
def test_little_room_is_not_ranked(null: float, ceiling: float, ranked: bool) -> None:
    """A profile ranks methods from a room of 0.3 on."""
    assert Yardstick(nulls={"constant": null}, ceiling=ceiling).ranked is ranked


@settings(deadline=None, max_examples=60)
@given(
    one=st.floats(0.0, 1.0),
    other=st.floats(0.0, 1.0),
    null=st.floats(0.0, 0.6),
    room=st.floats(1e-3, 0.4),
)
def test_skill_keeps_the_order_of_overlaps(
    one: float, other: float, null: float, room: float
) -> None:
    """A better overlap never has less skill, and skill stays in [-1, 1]."""
    yardstick = Yardstick(nulls={"constant": null}, ceiling=null + room)
    low, high = (
        skill(Score(x), yardstick).value for x in (min(one, other), max(one, other))
    )

    assert low is not None
    assert high is not None
    assert -1.0 <= low <= high <= 1.0


# hundredths: many are equal, and no room is a rounding error
HUNDREDTHS = st.integers(0, 100).map(lambda value: value / 100)


@settings(deadline=None, max_examples=60)
@given(overlap=HUNDREDTHS, nulls=st.tuples(HUNDREDTHS, HUNDREDTHS), ceiling=HUNDREDTHS)
def test_better_nulls_never_help(
    overlap: float, nulls: tuple[float, float], ceiling: float
) -> None:
    """Up to the ceiling an overlap is worth the less, the better the best null."""
    found = Score(min(overlap, ceiling))
    low, high = (
        skill(found, Yardstick(nulls={"a": null}, ceiling=ceiling))
        for null in sorted(nulls)
    )

    if low.value is not None and high.value is not None:
        assert high.value <= low.value + 1e-12


@settings(deadline=None, max_examples=60)
@given(overlap=HUNDREDTHS, null=HUNDREDTHS, own=HUNDREDTHS, ceiling=HUNDREDTHS)
def test_an_own_null_never_helps(
    overlap: float, null: float, own: float, ceiling: float
) -> None:
    """What a method finds on an untrained model costs it, or changes nothing."""
    nulls = {"constant": null}
    plain = Yardstick(nulls=nulls, ceiling=ceiling)
    with_own = Yardstick(nulls=nulls | {OWN_UNTRAINED: own}, ceiling=ceiling)
    before, after = (skill(Score(overlap), found) for found in (plain, with_own))

    assert with_own.ranked == plain.ranked
    assert after.undefined == before.undefined
    if before.value is not None and after.value is not None:
        assert after.value <= before.value


@pytest.mark.parametrize("shift", [-0.2, 0.1])
def test_only_distances_count(shift: float) -> None:
    """What overlap, nulls and ceiling have in common cancels out."""
    moved = {name: null + shift for name, null in YARDSTICK.nulls.items()}
    yardstick = Yardstick(nulls=moved, ceiling=YARDSTICK.ceiling + shift)

    assert skill(Score(0.6 + shift), yardstick).value == pytest.approx(0.25)


OR_MISSING = st.one_of(HUNDREDTHS, st.just(float("nan")))


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(OR_MISSING, OR_MISSING, HUNDREDTHS), min_size=1))
def test_resampled_skills_are_single_ones_and_always_numbers(
    rows: list[tuple[float, float, float]],
) -> None:
    """Many at once give what one by one gives; what is undefined is the worst."""
    overlaps, nulls, ceilings = np.array(rows).T
    found = skills(overlaps, nulls, ceilings - nulls)

    assert np.isfinite(found).all()
    for row, value in zip(rows, found, strict=True):
        overlap, null, ceiling = row
        if np.isnan(overlap) or np.isnan(null):
            assert value == -1.0
            continue
        one = skill(Score(overlap), Yardstick(nulls={"a": null}, ceiling=ceiling))
        assert value == (-1.0 if one.value is None else one.value)
