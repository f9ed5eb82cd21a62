"""Read what a pull request changes out of its git objects, as data.

The working tree is not looked at: filters and line endings can make it differ from
what is going to be merged.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError
from bench.submissions.git import run_git

PLAIN = "100644"
"""Mode of a regular file that is not executable."""
MOST_CHANGES = 1000
LONGEST_NAME = 255
"""Bytes of a file's name that file systems know."""


@dataclass(frozen=True)
class Change:
    """One path that differs between two commits."""

    path: str
    """As git has it; bytes that are not UTF-8 are surrogates."""
    mode: str
    """After the change; ``000000`` of a file that is gone."""
    blob: str
    """The content's object."""


def merge_base(repository: Path, base: str, head: str) -> str:
    """Return the commit where a branch left another.

    Raises:
        UserError: A revision is unknown, or the two have nothing in common.
    """
    return (
        _git(repository, "merge-base", "--end-of-options", base, head).decode().strip()
    )


def changes(repository: Path, base: str, head: str) -> list[Change]:
    """Return what a commit changes against another, at most MOST_CHANGES + 1 paths.

    Raises:
        UserError: A revision is unknown.
    """
    options = ("-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--end-of-options")
    raw = _git(repository, "diff-tree", *options, base, head)
    fields = iter(raw.split(b"\0")[:-1])
    found: list[Change] = []
    for described, path in zip(fields, fields, strict=True):
        _, mode, _, blob, _ = described.decode().lstrip(":").split(" ")
        found.append(Change(os.fsdecode(path), mode, blob))
        if len(found) > MOST_CHANGES:
            break
    return found


def files_below(repository: Path, commit: str, folder: str) -> Iterator[Change]:
    """List the files of a folder in a commit, at most MOST_CHANGES of them.

    Raises:
        UserError: The revision is unknown.
    """
    raw = _git(
        repository, "ls-tree", "-r", "-z", "--end-of-options", commit, f"{folder}/"
    )
    for line in raw.split(b"\0")[:-1][:MOST_CHANGES]:
        described, _, path = line.partition(b"\t")
        mode, _, blob = described.decode().split(" ")
        yield Change(os.fsdecode(path), mode, blob)


def extract(
    repository: Path, files: Iterator[Change], folder: Path, *, limit: int
) -> None:
    """Write plain files of one folder into another; anything else is left out.

    A content above the limit is not read: a hole of its size stands in for it.

    Raises:
        UserError: An object is missing.
    """
    folder.mkdir(parents=True)
    for file in files:
        name = file.path.rpartition("/")[2]
        too_long = len(os.fsencode(name)) > LONGEST_NAME
        if file.mode != PLAIN or too_long or name in (".", ".."):
            continue
        size = int(_git(repository, "cat-file", "-s", file.blob))
        target = folder / name
        if size > limit:
            target.touch()
            os.truncate(target, size)
        else:
            target.write_bytes(_git(repository, "cat-file", "blob", file.blob))


def _git(repository: Path, *arguments: str) -> bytes:
    done = run_git(repository, *arguments)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise UserError(
            f"git {arguments[0]} failed in '{repository}': {ascii(said[-1])[1:-1]}. "
            "Give a git repository and commits that it has."
        )
    return done.stdout
