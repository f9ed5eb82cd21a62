"""Check the texts of a submission, which people are going to read."""

import re
from collections.abc import Iterator

from bench.submissions.problems import Problem
from bench.tasks.spec import PROSE

_FIX = "Save it as UTF-8, without control characters or marks of writing direction."


def check_text(name: str, data: bytes) -> Iterator[Problem]:
    """Report text that does not show what it says.

    Marks that turn the direction of writing let code read as what it is not.
    """
    expected = "UTF-8 text"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is not UTF-8"
        yield Problem("S012", name, "", expected, found, _FIX)
        return
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not re.fullmatch(PROSE, line):
            found = f"a control character in line {number}"
            yield Problem("S012", name, "", expected, found, _FIX)
            return
