import pytest

from bench.errors import UserError
from bench.tasks.one_line import check_reason, shortened


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [("", 5, ""), ("abcde", 5, "abcde"), ("abcdef", 5, "ab..."), ("abcdef", 3, "...")],
)
def test_a_long_text_is_shortened(text: str, longest: int, shown: str) -> None:
    """Never is it longer than it may be."""
    assert shortened(text, longest) == shown


@pytest.mark.parametrize("reason", ["a", "x" * 20, "naïve, but true"])
def test_a_reason(reason: str) -> None:
    """One printable line, in any script."""
    check_reason(reason, what="It", longest=20)


@pytest.mark.parametrize(
    "reason",
    ["", "  ", "x" * 21, "x" + " " * 20, "two\nlines", "\u202eback", "\ud800", "a\0"],
)
def test_no_reason(reason: str) -> None:
    """What cannot be kept in a record is refused where it is given."""
    with pytest.raises(UserError) as caught:
        check_reason(reason, what="It", longest=20)

    expected = f"It is {reason!a}; expected one line of 1 to 20 characters."
    assert str(caught.value) == expected
