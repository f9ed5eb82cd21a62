"""Read JSON from strangers: nothing that JSON leaves open is let through.

Python's reader keeps the last of two equal keys, accepts NaN, turns ``1e999`` into
infinity and recurses without bound. Each of these is refused here, with its place, and
so are files of so many values that checking them would take long.
"""

import json
import math
import re
from pathlib import Path
from typing import NoReturn

from bench.errors import FileFormatError
from bench.tasks.bounded import read_bounded
from bench.tasks.one_line import shortened

LARGEST_FILE = 1_000_000
"""Bytes."""
DEEPEST = 20
"""Levels of nesting."""
MOST_VALUES = 50_000
"""Numbers, texts, lists and objects of a file. Ours have a fifth of them."""
SHOWN = 60
"""Characters of a wrong key or number that a message repeats."""

_LONGEST_INTEGER = 310
"""Characters; what has more is no finite float either."""
# possessive and with an optional end: an unterminated string must not backtrack
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class StrictJSONError(FileFormatError):
    """Raised when a text is not the strict JSON that this package reads and writes."""


def read_strict_json(path: Path) -> bytes:
    """Read a file, check that it holds strict JSON, and return its bytes.

    The bytes then go to a pydantic model, which checks what they mean.

    Raises:
        StrictJSONError: The file is missing, too large, or not strict JSON.
    """
    try:
        data = read_bounded(path, limit=LARGEST_FILE, follow=True)
    except FileFormatError as error:
        raise StrictJSONError(str(error)) from None
    check_strict_json(data, file=path)
    return data


def check_strict_json(data: bytes, *, file: Path | str) -> None:
    """Refuse anything that is not strict JSON.

    Raises:
        StrictJSONError: The message says what and where.
    """
    problem = find_problem(data)
    if problem is not None:
        raise StrictJSONError(f"'{file}' is not strict JSON: {problem}")


def find_problem(data: bytes) -> str | None:
    """Say what keeps a text from being strict JSON, and where; None if nothing does."""
    try:
        _check_depth(data)
        _check_count(data)
        value = json.loads(
            data.decode("utf-8"),
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_integer,
            object_pairs_hook=_pairs,
        )
        if _SURROGATE.search(data):  # half of a pair is none of UTF-8's characters
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except ValueError as error:
        return _why(error)
    return None


def _why(error: ValueError) -> str:
    """Say what is wrong in the words of this format."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8."
    if isinstance(error, UnicodeEncodeError):
        return "a string holds half of a surrogate pair."
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}."
    return str(error).splitlines()[0]


def _constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}; every number must be finite.")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shortened(text, SHOWN)} is not finite.")
    return value


def _integer(text: str) -> int:
    """Read an integer; Python's own limit of digits can be changed from outside."""
    if len(text) > _LONGEST_INTEGER or not math.isfinite(float(text)):
        raise ValueError(f"{shortened(text, SHOWN)} is not finite.")
    return int(text)


def _pairs(items: list[tuple[str, object]]) -> dict[str, object]:
    unique: dict[str, object] = {}
    for key, value in items:
        if key in unique:
            raise ValueError(
                f"the key {shortened(key, SHOWN)!a} occurs more than once."
            )
        unique[key] = value
    return unique


def _only(kept: bytes, data: bytes) -> bytes:
    """Return some characters of a text, as they stand outside of its strings."""
    others = bytes(set(range(256)) - set(kept))
    return _STRING.sub(b"", data).translate(None, others)


def _check_count(data: bytes) -> None:
    """Refuse more values than any check is made for."""
    if len(_only(b"[{,", data)) > MOST_VALUES:
        raise ValueError(f"it holds more than {MOST_VALUES} values.")


def _check_depth(data: bytes) -> None:
    """Refuse deep nesting before a recursive reader sees it."""
    depth = 0
    for character in _only(b"[]{}", data):
        depth += 1 if character in b"[{" else -1
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels.")
