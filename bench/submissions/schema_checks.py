"""Check a file of a submission against its published JSON Schema."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from pydantic import ValidationError

from bench.submissions.problems import Problem
from bench.tasks.frozen import FrozenModel
from bench.tasks.strict_json import StrictJSONError, read_strict_json

SHOWN = 60

Record = TypeVar("Record", bound=FrozenModel)


def read_checked(
    path: Path, model: type[Record], problems: list[Problem]
) -> Record | None:
    """Read a record, or add what is wrong with its file to ``problems``."""
    try:
        data = read_strict_json(path)
    except StrictJSONError as error:
        fix = "Write the file with bench, not by hand."
        expected = "JSON with finite numbers and unique keys"
        problems.append(Problem("S010", path.name, "", expected, str(error), fix))
        return None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        # the schema says more simply what is wrong, in thrice the time
        found = list(_schema_problems(path, data, model))
        problems.extend(found or _model_problems(path, error))
        return None


def _schema_problems(
    path: Path, data: bytes, model: type[FrozenModel]
) -> Iterator[Problem]:
    for error in _validator(model).iter_errors(json.loads(data)):
        yield Problem(
            "S011",
            path.name,
            "/".join(["", *(str(part) for part in error.absolute_path)]).rstrip("/"),
            _short(f"{error.validator}: {error.validator_value}"),
            _short(error.message),
            "Write the file with bench, not by hand.",
        )


@cache
def _validator(model: type[FrozenModel]) -> Any:
    return Draft202012Validator(model.model_json_schema())


def _model_problems(path: Path, error: ValidationError) -> Iterator[Problem]:
    """Report what the schema cannot say, such as lists of different lengths."""
    for problem in error.errors(include_url=False):
        pointer = "/".join(["", *(str(part) for part in problem["loc"])])
        yield Problem(
            "S011",
            path.name,
            pointer,
            problem["msg"],
            _short(repr(problem["input"])),
            "Write the file with bench, not by hand.",
        )


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
