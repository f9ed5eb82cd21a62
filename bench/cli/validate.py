"""``bench validate``: report all problems of submissions."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import write_out
from bench.cli.options import Root, resolve_root
from bench.cli.problem_output import (
    INVALID,
    Format,
    github_lines,
    plain_problems,
    text_lines,
)
from bench.cli.summary import ScoredTask, summary_table
from bench.cli.trusted import read_trusted
from bench.results.report import Plain
from bench.results.trusted import Trusted
from bench.submissions.file_names import printable
from bench.submissions.validation import Checked, validate_submission


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
            for line in github_lines(found.problems, folder=path):
                print(line)
        else:
            _text(found, trusted, summary=len(paths) == 1)
    if output is Format.JSON:
        print(json.dumps(documents, indent=2))
    if not valid:
        raise typer.Exit(INVALID)


def _text(found: Checked, trusted: Trusted, *, summary: bool) -> None:
    for line in text_lines(found.problems, folder=found.folder):
        print(line)
    if found.problems:
        return
    state = "valid" if found.withdrawal is None else "withdrawn"
    print(f"{printable(str(found.folder))}: {state}", flush=True)
    if summary and found.withdrawal is None:
        write_out(summary_table(scored_tasks(found, trusted)))


def scored_tasks(found: Checked, trusted: Trusted) -> list[ScoredTask]:
    """Return what a valid submission says, task by task."""
    return [
        ScoredTask(
            trusted.tasks[task], found.records[task], trusted.references[task], scores
        )
        for task, scores in found.scores.items()
    ]


def _plain(found: Checked) -> Plain:
    return {
        "submission": printable(str(found.folder)),
        "valid": not found.problems,
        "withdrawn": found.withdrawal is not None,
        "problems": plain_problems(found.problems),
    }
