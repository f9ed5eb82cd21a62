import re
from typing import Annotated

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field, ValidationError

from bench.errors import FileFormatError
from bench.tasks.frozen import FrozenModel


class Part(FrozenModel):
    """A nested record."""

    size: Annotated[int, Field(ge=1)]


class Sample(FrozenModel):
    """A record with one of everything."""

    name: str
    value: float
    parts: tuple[Part, ...] = ()


class Keyed(FrozenModel):
    """A record with a mapping of patterned keys, inside a list."""

    parts: tuple[dict[Annotated[str, Field(pattern="^a+$")], int], ...]


def test_keys_that_fit_no_pattern_fit_no_schema() -> None:
    """The schema refuses the keys that the model refuses."""
    validator = Draft202012Validator(Keyed.closed_schema())

    assert validator.is_valid({"parts": [{"aa": 1}]})
    assert not validator.is_valid({"parts": [{"b": 1}]})
    with pytest.raises(ValidationError, match="should match pattern"):
        Keyed.model_validate_json('{"parts": [{"b": 1}]}')


def test_good_text_is_read() -> None:
    """JSON arrays become tuples, whole numbers may stand for floats."""
    text = '{"name": "a", "value": 1, "parts": [{"size": 2}]}'

    found = Sample.parse(text, file="x.json")
    assert found == Sample(name="a", value=1.0, parts=(Part(size=2),))
    assert Sample.parse(text.encode(), file="x.json") == found


def test_all_problems_are_listed_with_their_place() -> None:
    """One error reports every problem, where it is and what was found."""
    text = '{"name": 3, "parts": [{"size": 1}, {"size": 0}], "extra": true}'
    expected = (
        "'x.json' is not a valid Sample:\n"
        "  name: Input should be a valid string (found 3)\n"
        "  value: Field required (found {'name': 3, 'parts': [{'size': 1}, {'size': "
        "0}], 'extra':...)\n"
        "  parts/1/size: Input should be greater than or equal to 1 (found 0)\n"
        "  extra: Extra inputs are not permitted (found True)"
    )

    with pytest.raises(FileFormatError, match=f"^{re.escape(expected)}$"):
        Sample.parse(text, file="x.json")


@pytest.mark.parametrize("text", ["", "{", "[1", b"\xff"])
def test_what_is_not_json_is_refused(text: str | bytes) -> None:
    """A broken text has its problem in the whole file."""
    with pytest.raises(FileFormatError, match=r"\(whole file\): Invalid JSON"):
        Sample.parse(text, file="x.json")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"1.5"', "Input should be a valid number"),
        ("true", "Input should be a valid number"),
        ("null", "Input should be a valid number"),
        ("NaN", "Input should be a finite number"),
        ("Infinity", "Input should be a finite number"),
        ("1e999", "Input should be a finite number"),
    ],
)
def test_numbers_are_finite_numbers(value: str, problem: str) -> None:
    """Neither text nor truth nor NaN stands for a number."""
    with pytest.raises(FileFormatError, match=f"value: {problem}"):
        Sample.parse(f'{{"name": "a", "value": {value}}}', file="x.json")


def test_records_do_not_change() -> None:
    """A field cannot be set again."""
    sample = Sample(name="a", value=1.0)

    with pytest.raises(ValidationError, match="Instance is frozen"):
        sample.name = "b"  # pyright: ignore[reportAttributeAccessIssue]
