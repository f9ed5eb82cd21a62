import pytest

from tests.rehearsal.expressions import ExpressionError, evaluate, fill, truth

CONTEXT = {
    "github": {"ref": "refs/heads/main", "event": {"number": 7}},
    "needs": {"a": {"result": "success", "outputs": {"x": "true"}}},
    "cancelled()": lambda: False,
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.ref == 'refs/heads/main'", True),
        ("github.ref != 'refs/heads/main'", False),
        ("needs.a.outputs.x == 'true' && needs.a.result == 'success'", True),
        ("!cancelled() && needs.a.result == 'failure'", False),
        ("!(cancelled() || false)", True),
        ("github.event.missing || github.ref", "refs/heads/main"),
        ("github.event.number", 7),
        ("fromJSON('[1, 2]')", [1, 2]),
        ("'it''s'", "it's"),
        ("github.missing.deeper", None),
    ],
)
def test_expressions_mean_what_they_mean_there(text: str, value: object) -> None:
    """Paths, comparisons, both connectives with their values, calls, quotes."""
    assert evaluate(text, CONTEXT) == value


def test_holes_in_a_string_are_filled_and_one_alone_keeps_its_type() -> None:
    """Numbers become words inside of a text, and stay numbers by themselves."""
    assert fill("pr-${{ github.event.number }}.", CONTEXT) == "pr-7."
    assert fill("${{ github.event.number }}", CONTEXT) == 7
    assert fill("${{ github.event.missing }}", CONTEXT) is None
    assert truth("${{ github.ref == 'refs/heads/main' }}", CONTEXT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("secrets.KEY", "the context of 'secrets.KEY' is not imitated"),
        ("hashFiles('x')", r"hashFiles\(\) is not imitated"),
        ("github.ref github.ref", "goes on after its end"),
        ("github.ref == ", "ends too early"),
        ("(github.ref", r"expected \)"),
        ("github.ref ~ 1", "is not understood from"),
    ],
)
def test_what_is_not_imitated_is_an_error(text: str, message: str) -> None:
    """Nothing unknown passes for something empty."""
    with pytest.raises(ExpressionError, match=message):
        evaluate(text, CONTEXT)
