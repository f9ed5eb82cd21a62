"""Check which files a submission holds, before any of them is opened."""

from collections.abc import Iterator
from pathlib import Path

from bench.submissions.manifest import MANIFEST, README
from bench.submissions.problems import Problem
from bench.tasks.strict_json import LARGEST_FILE

MOST_FILES = 200
"""Problems after this many files are not listed one by one."""


def check_folder(folder: Path) -> Iterator[Problem]:
    """Report everything that is not a small, regular, expected file."""
    if not folder.is_dir() or folder.is_symlink():
        yield Problem(
            "S001", folder.name, "", "a folder", "something else or nothing", _SUBMIT
        )
        return
    entries = sorted(folder.iterdir())[:MOST_FILES]
    if MANIFEST not in {entry.name for entry in entries}:
        yield Problem("S001", MANIFEST, "", "a manifest", "no such file", _SUBMIT)
    for entry in entries:
        yield from _check_entry(entry)


def _check_entry(entry: Path) -> Iterator[Problem]:
    if entry.is_symlink() or not entry.is_file():
        kind = "a symbolic link" if entry.is_symlink() else "not a file"
        fix = "Put plain files directly into the submission's folder."
        yield Problem("S003", entry.name, "", "a regular file", kind, fix)
        return
    if entry.suffix != ".json" and entry.name != README:
        expected = f".json files and {README}"
        yield Problem("S002", entry.name, "", expected, "another file", "Remove it.")
    size = entry.stat().st_size
    if size > LARGEST_FILE:
        fix = "Leave out per_prompt, or use fewer discovery prompts."
        expected = f"at most {LARGEST_FILE} bytes"
        yield Problem("S004", entry.name, "", expected, f"{size} bytes", fix)


_SUBMIT = "Make the folder with: bench submit METHOD"
