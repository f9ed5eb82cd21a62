import pytest

from bench.results.wording import interval, number, signed


@pytest.mark.parametrize(
    ("value", "plain", "difference"),
    [
        (0.125, "0.12", "+0.12"),
        (-0.004, "0.00", "+0.00"),
        (-0.0, "0.00", "+0.00"),
        (-1.0, "-1.00", "-1.00"),
        (None, "n/a", "n/a"),
    ],
)
def test_numbers(value: float | None, plain: str, difference: str) -> None:
    """Two digits, no negative zero, and undefined is no number."""
    assert number(value) == plain
    assert signed(value) == difference


def test_intervals() -> None:
    """Bounds are printed as numbers; none is nothing."""
    assert interval((-0.001, 0.5)) == "[0.00, 0.50]"
    assert interval(None) == ""
