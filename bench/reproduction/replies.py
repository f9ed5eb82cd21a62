"""Read what the child wrote: a stranger's files, and perhaps none."""

import os
import stat
from dataclasses import dataclass

import numpy as np

from bench.errors import FileFormatError
from bench.profiles.attribution import LayerAttribution, distance_from_mean
from bench.reproduction.request import STARTED, Answer, answer_name
from bench.tasks.strict_json import LARGEST_FILE, check_strict_json

LONGEST = 300
"""Characters of a stranger's text that are repeated."""


@dataclass(frozen=True)
class Expected:
    """What an answer has to look like."""

    sections: int
    prompts: int


class UnusableError(FileFormatError):
    """Raised when an answer is not there or is none."""


def has_started(folder: int) -> bool:
    """Whether the child came as far as to load the method."""
    try:
        os.stat(STARTED, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def read_reply(folder: int, index: int, expected: Expected) -> Answer:
    """Read one answer.

    Args:
        folder: Descriptor of the folder of answers, opened before the child began.
        index: Number of the circuit.
        expected: What it has to look like.

    Raises:
        UnusableError: The message says why, fit to be shown.
    """
    name = answer_name(index)
    data = _bytes(folder, name)
    try:
        check_strict_json(data, file=name)
        answer = Answer.parse(data, file=name)
    except FileFormatError as error:
        raise UnusableError(shown(str(error))) from None
    if answer.error is not None or answer.values is None:
        raise UnusableError(shown(answer.error or ""))
    _check_shape(answer, expected)
    return answer


def _bytes(folder: int, name: str) -> bytes:
    """Read a small regular file; links are not followed, and nothing is waited for."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError:
        raise UnusableError("there is no answer") from None
    except OSError as error:
        raise UnusableError(
            f"the answer is no regular file: {error.strerror}"
        ) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):  # a folder can be opened, too
            raise UnusableError("the answer is no regular file")
        if found.st_size > LARGEST_FILE:
            raise UnusableError(
                f"the answer has {found.st_size} bytes; the limit is {LARGEST_FILE}"
            )
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(LARGEST_FILE)
    finally:
        os.close(handle)


def _check_shape(answer: Answer, expected: Expected) -> None:
    found = len(answer.values or ())
    if found != expected.sections:
        raise UnusableError(f"the answer has {found} values, not {expected.sections}")
    if answer.per_prompt is None:
        return
    if len(answer.per_prompt) != expected.prompts:
        raise UnusableError(
            f"per_prompt is for {len(answer.per_prompt)} prompts, not "
            f"{expected.prompts}"
        )
    distance = distance_from_mean(attribution(answer))
    if distance is not None:
        raise UnusableError(f"values are {distance:.3g} off the mean of per_prompt")


def attribution(answer: Answer) -> LayerAttribution:
    """Return an answer as arrays."""
    per_prompt = None if answer.per_prompt is None else np.array(answer.per_prompt)
    return LayerAttribution(values=np.array(answer.values), per_prompt=per_prompt)


def shown(text: str) -> str:
    """Make a stranger's text fit for a terminal and a record: one plain line."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(plain.split()) or "no reason was given"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
