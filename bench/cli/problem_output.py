"""Print what is wrong with submissions: for people, for programs, for GitHub."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from bench.results.report import Plain
from bench.submissions.file_names import printable
from bench.submissions.problems import Problem

INVALID = 3
"""Exit code where something has problems."""


class Format(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def text_lines(problems: Iterable[Problem], *, folder: Path) -> Iterator[str]:
    """Print each problem on four lines: where, expected, found, what to do."""
    for problem in problems:
        place = printable(str(folder / problem.file))
        pointer = f"#{problem.pointer}" if problem.pointer else ""
        yield f"{problem.code} {place}{pointer}: {problem.title}"
        yield f"  expected: {problem.expected}"
        yield f"  found:    {problem.found}"
        yield f"  fix:      {problem.fix}"


def plain_problems(problems: Iterable[Problem]) -> list[Plain]:
    """Return problems as data."""
    return [{**asdict(problem), "title": problem.title} for problem in problems]


def github_lines(problems: Iterable[Problem], *, folder: Path) -> Iterator[str]:
    """Print each problem as a workflow command that annotates its file."""
    for problem in problems:
        file = _escape_property(printable(str(folder / problem.file)))
        text = (
            f"{problem.pointer} {problem.title}: expected {problem.expected}, "
            f"found {problem.found}. {problem.fix}"
        )
        yield f"::error file={file},title={problem.code}::{_escape(text.strip())}"


def _escape(text: str) -> str:
    """Keep text from ending a workflow command or starting another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
