"""``bench validate``: report all problems of submissions."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import write_out
from bench.cli.options import Root, resolve_root
from bench.cli.summary import ScoredTask, summary_table
from bench.cli.trusted import read_trusted
from bench.results.report import Plain
from bench.results.trusted import Trusted
from bench.submissions.problems import Problem
from bench.submissions.validation import Checked, validate_submission

INVALID = 3


class Format(StrEnum):
    """How problems are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Submission folders.")],
    output: Annotated[
        Format, typer.Option("--format", help="How to print.")
    ] = Format.TEXT,
    root: Root = None,
) -> None:
    """Check submissions, and compute the scores of a single one.

    No claimed number is believed, and nothing of a submission is executed.
    """
    trusted = read_trusted(resolve_root(root))
    documents: list[Plain] = []
    valid = True
    for path in paths:
        found = validate_submission(path, trusted)
        valid = valid and not found.problems
        if output is Format.JSON:
            documents.append(_plain(found))
        elif output is Format.GITHUB:
            _github(found)
        else:
            _text(found, trusted, summary=len(paths) == 1)
    if output is Format.JSON:
        print(json.dumps(documents, indent=2))
    if not valid:
        raise typer.Exit(INVALID)


def _text(found: Checked, trusted: Trusted, *, summary: bool) -> None:
    for problem in found.problems:
        print(_line(found, problem))
        print(f"  expected: {problem.expected}")
        print(f"  found:    {problem.found}")
        print(f"  fix:      {problem.fix}")
    if not found.problems:
        print(f"{found.folder}: valid", flush=True)
        if summary:
            write_out(summary_table(_scored(found, trusted)))


def _scored(found: Checked, trusted: Trusted) -> list[ScoredTask]:
    return [
        ScoredTask(
            trusted.tasks[task], found.records[task], trusted.references[task], scores
        )
        for task, scores in found.scores.items()
    ]


def _line(found: Checked, problem: Problem) -> str:
    place = f"{found.folder / problem.file}"
    pointer = f"#{problem.pointer}" if problem.pointer else ""
    return f"{problem.code} {place}{pointer}: {problem.title}"


def _plain(found: Checked) -> Plain:
    return {
        "submission": str(found.folder),
        "valid": not found.problems,
        "problems": [asdict(p) | {"title": p.title} for p in found.problems],
    }


def _github(found: Checked) -> None:
    for problem in found.problems:
        file = _escape_property(str(found.folder / problem.file))
        text = (
            f"{problem.pointer} {problem.title}: expected {problem.expected}, "
            f"found {problem.found}. {problem.fix}"
        )
        print(f"::error file={file},title={problem.code}::{_escape(text.strip())}")


def _escape(text: str) -> str:
    """Keep text from ending a workflow command or starting another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
