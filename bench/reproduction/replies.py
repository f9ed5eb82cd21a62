"""Read what the child wrote: a stranger's files, and perhaps none."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import FileFormatError
from bench.profiles.attribution import LayerAttribution, distance_from_mean
from bench.reproduction.request import STARTED, Answer, answer_name
from bench.tasks.bounded import read_bounded
from bench.tasks.one_line import shortened
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
    return _is_there(folder, STARTED)


def _is_there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
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
    if not _is_there(folder, name):
        raise UnusableError("there is no answer")
    try:
        data = read_bounded(Path(name), limit=LARGEST_FILE, folder=folder)
        check_strict_json(data, file=name)
        answer = Answer.parse(data, file=name)
    except FileFormatError as error:
        raise UnusableError(shown(str(error))) from None
    if answer.error is not None or answer.values is None:
        raise UnusableError(shown(answer.error or ""))
    _check_shape(answer, expected)
    return answer


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
    return shortened(line, LONGEST)
