"""``bench review``: examine a pull request as data, as the workflow does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.board_entries import board_entry, leaderboard_entries
from bench.cli.options import Root, resolve_root
from bench.cli.problem_output import (
    INVALID,
    Format,
    github_lines,
    plain_problems,
    text_lines,
)
from bench.cli.trusted import read_trusted
from bench.leaderboard.generate import SUITE
from bench.leaderboard.markdown import escape
from bench.leaderboard.preview import Preview, preview_entry, render_preview
from bench.results.report import Plain
from bench.results.trusted import Trusted
from bench.submissions.file_names import printable
from bench.submissions.manifest import FOLDER
from bench.submissions.review import Review, review_pull_request

HERE = Path()


def review(
    repository: Annotated[Path, typer.Argument(help="Git checkout of the branch.")],
    base: Annotated[str, typer.Option(help="Branch or commit to merge into.")],
    head: Annotated[str, typer.Option(help="Commit to merge.")] = "HEAD",
    output: Annotated[
        Format, typer.Option("--format", help="How to print.")
    ] = Format.TEXT,
    summary: Annotated[
        Path | None, typer.Option(help="Append a summary in Markdown to this file.")
    ] = None,
    root: Root = None,
) -> None:
    """Check that a branch is one submission, and show its row.

    Tasks, references and the rules are those of --root, never those of the branch, of
    which nothing is executed.
    """
    folder = resolve_root(root)
    trusted = read_trusted(folder)
    found = review_pull_request(repository, trusted, base=base, head=head)
    preview = _preview(found, folder, trusted)
    if output is Format.JSON:
        print(json.dumps(_plain(found, preview), indent=2))
    else:
        lines = github_lines if output is Format.GITHUB else text_lines
        for line in (*lines(found.problems, folder=HERE), *_verdict(found, preview)):
            print(line)
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(_markdown(found, preview))
    if not found.valid:
        raise typer.Exit(INVALID)


def _preview(found: Review, root: Path, trusted: Trusted) -> Preview | None:
    """Rank a valid submission among those that are there."""
    checked = found.checked
    if not found.valid or checked is None or checked.manifest is None:
        return None
    if checked.manifest.suite.name != SUITE:
        return None
    entry = board_entry(
        checked.manifest, checked.records, checked.scores, trusted=trusted
    )
    others = leaderboard_entries(root, trusted)
    return preview_entry(entry, others, trusted, suite=SUITE)


def _place(found: Review) -> str | None:
    return None if found.name is None else f"{FOLDER}/{printable(found.name)}"


def _is_withdrawn(found: Review) -> bool:
    return found.checked is not None and found.checked.withdrawal is not None


def _verdict(found: Review, preview: Preview | None) -> Iterator[str]:
    """Say in a line or two what came out."""
    if not found.valid:
        count = len(found.problems)
        yield f"{count} problem{'' if count == 1 else 's'}; nothing was executed"
        return
    yield f"{_place(found)}: {'withdrawn' if _is_withdrawn(found) else 'valid'}"
    if preview is not None:
        yield from render_preview(preview).splitlines()


def _plain(found: Review, preview: Preview | None) -> Plain:
    manifest = None if found.checked is None else found.checked.manifest
    return {
        "submission": _place(found),
        "method": None if found.name is None else printable(found.name),
        "valid": found.valid,
        "withdrawn": _is_withdrawn(found),
        "digest": None if manifest is None else manifest.digest,
        "has_code": manifest is not None and manifest.code is not None,
        "problems": plain_problems(found.problems),
        "flags": [] if preview is None else [flag.text for flag in preview.flags],
        "row": None if preview is None else preview.row.model_dump(mode="json"),
    }


def _markdown(found: Review, preview: Preview | None) -> str:
    """Write a summary; whatever the branch says in it is escaped."""
    lines = [f"## {escape(_place(found) or 'Pull request')}", ""]
    if found.valid:
        verdict = next(iter(_verdict(found, None)))
        lines += [f"{escape(verdict)}.", ""]
    else:
        lines += [f"{len(found.problems)} problem(s); nothing was executed.", ""]
        lines += [
            f"- **{p.code}** {escape(p.file)} {escape(p.pointer)}: {escape(p.title)}. "
            f"Expected {escape(p.expected)}, found {escape(p.found)}. {escape(p.fix)}"
            for p in found.problems
        ]
    if preview is not None:
        lines += [render_preview(preview)]
    return "\n".join(lines) + "\n"
