import pytest

from bench.scores.score import Score, ScoreSpec, undefined
from bench.scores.skill import SKILL
from tests.scores.every_score import DECLARED

SPECS = [*(spec for _, spec in DECLARED), SKILL]


@pytest.mark.parametrize(
    ("value", "reason"), [(None, None), (0.5, "both")], ids=["neither", "both"]
)
def test_a_score_is_a_value_or_a_reason(
    value: float | None, reason: str | None
) -> None:
    """A score of neither or both is refused."""
    expected = r"A score has either a value or a reason, not both\."
    with pytest.raises(ValueError, match=expected):
        Score(value, reason)


def test_zero_is_a_value() -> None:
    """A score of 0 is defined."""
    assert Score(0.0).undefined is None


def test_undefined_holds_its_reason() -> None:
    """An undefined score has no value."""
    assert undefined("no prompts") == Score(None, "no prompts")


def test_names_are_unique() -> None:
    """No two scores share a name."""
    assert len({spec.name for spec in SPECS}) == len(SPECS)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_bounds_are_in_order(spec: ScoreSpec) -> None:
    """The lowest value is below the highest; without one, lower is better."""
    if spec.highest is None:
        assert spec.better == "lower"
    else:
        assert spec.lowest < spec.highest


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_no_score(value: float) -> None:
    """NaN compares as neither better nor worse, so it must not come this far."""
    with pytest.raises(
        ValueError, match=f"^A score is finite or undefined, not {value}"
    ):
        Score(value)
