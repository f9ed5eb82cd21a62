"""Check a file of a submission against its published JSON Schema."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from bench.submissions.file_names import printable
from bench.submissions.problems import Problem
from bench.tasks.frozen import FrozenModel
from bench.tasks.strict_json import find_problem

SHOWN = 60
LONGER = 200
_FIX = "Write the file with bench, not by hand."

Record = TypeVar("Record", bound=FrozenModel)


def parse_checked(
    name: str, data: bytes, model: type[Record], problems: list[Problem]
) -> Record | None:
    """Parse a record, or add what is wrong with its file to ``problems``.

    Args:
        name: The file's name.
        data: Its content.
        model: What it should hold.
        problems: Where problems go.
    """
    fault = find_problem(data)
    if fault is not None:
        expected = "JSON with finite numbers and unique keys"
        problems.append(Problem("S010", name, "", expected, printable(fault), _FIX))
        return None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        # the schema says more simply what is wrong, in thrice the time
        found = list(_schema_problems(name, data, model))
        problems.extend(found or _model_problems(name, error))
        return None


def _schema_problems(
    name: str, data: bytes, model: type[FrozenModel]
) -> Iterator[Problem]:
    for error in _validator(model).iter_errors(json.loads(data)):
        yield Problem(
            "S011",
            name,
            _pointer(error.absolute_path).rstrip("/"),
            _short(f"{error.validator}: {error.validator_value}"),
            _short(error.message),
            _FIX,
        )


@cache
def _validator(model: type[FrozenModel]) -> Any:
    return Draft202012Validator(model.model_json_schema())


def _model_problems(name: str, error: ValidationError) -> Iterator[Problem]:
    """Report what the schema cannot say, such as lists of different lengths."""
    for problem in error.errors(include_url=False):
        yield Problem(
            "S011",
            name,
            _pointer(problem["loc"]),
            _short(problem["msg"], LONGER),
            _short(repr(problem["input"])),
            _FIX,
        )


def _pointer(parts: Iterable[object]) -> str:
    """Write a JSON pointer (RFC 6901), printable everywhere."""
    steps = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return printable("/".join(["", *steps]))


def _short(text: str, longest: int = SHOWN) -> str:
    line = printable(text)
    return line if len(line) <= longest else line[: longest - 3] + "..."
