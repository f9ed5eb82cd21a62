"""Check a file of a submission against its published JSON Schema."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from bench.submissions.file_names import shown
from bench.submissions.problems import MOST_OF_FILE, Problem
from bench.tasks.frozen import FrozenModel
from bench.tasks.strict_json import find_problem

SHOWN = 60
LONGER = 200
LARGEST_FOR_SCHEMA = 50_000
"""Bytes; to say with the schema what is wrong with more would take seconds."""
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
        problems.append(Problem("S010", name, "", expected, fault, _FIX))
        return None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        problems.extend(_form_problems(name, data, model, error))
        return None


def _form_problems(
    name: str, data: bytes, model: type[FrozenModel], error: ValidationError
) -> list[Problem]:
    """Say what is wrong with a record, in so many words as anybody reads."""
    found: list[Problem] = []
    # the schema says it more simply, and takes its time
    if len(data) <= LARGEST_FOR_SCHEMA:
        found = list(islice(_schema_problems(name, data, model), MOST_OF_FILE + 1))
    found = found or list(islice(_model_problems(name, error), MOST_OF_FILE + 1))
    if len(found) <= MOST_OF_FILE:
        return found
    count = max(error.error_count(), len(found))
    expected, number = "no problem", f"{count} problems or more in this file"
    fix = "Mend those above first."
    return [
        *found[:MOST_OF_FILE],
        Problem("S009", name, "", expected, number, fix),
    ]


def _schema_problems(
    name: str, data: bytes, model: type[FrozenModel]
) -> Iterator[Problem]:
    for error in _validator(model).iter_errors(json.loads(data)):
        yield Problem(
            "S011",
            name,
            _pointer(error.absolute_path),
            shown(f"{error.validator}: {error.validator_value}", SHOWN),
            shown(error.message, SHOWN),
            _FIX,
        )


@cache
def _validator(model: type[FrozenModel]) -> Any:
    return Draft202012Validator(model.closed_schema())


def _model_problems(name: str, error: ValidationError) -> Iterator[Problem]:
    """Report what the schema cannot say, such as lists of different lengths."""
    for problem in error.errors(include_url=False):
        yield Problem(
            "S011",
            name,
            _pointer(problem["loc"]),
            shown(problem["msg"], LONGER),
            shown(repr(problem["input"]), SHOWN),
            _FIX,
        )


def _pointer(parts: Iterable[object]) -> str:
    """Write a JSON pointer (RFC 6901)."""
    steps = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "/".join(["", *steps])
