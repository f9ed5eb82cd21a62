"""Read a submission's folder once, before anything in it is looked at.

Names, kinds and sizes are checked before a file is opened; what is read is bounded by
the limits here, whatever lies in the folder.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.errors import FileFormatError
from bench.results.attribution_record import ARRAYS, LARGEST_ARRAYS
from bench.submissions.file_names import collisions, name_faults, printable
from bench.submissions.manifest import CODE, MANIFEST, README, WITHDRAWAL
from bench.submissions.problems import Problem
from bench.tasks.bounded import held_folder, read_bounded
from bench.tasks.strict_json import LARGEST_FILE

MOST_FILES = 200
LARGEST_SUBMISSION = 25_000_000
"""Bytes of all files together."""
LARGEST: Mapping[str, int] = {
    README: 20_000,
    CODE: 200_000,
    ARRAYS: LARGEST_ARRAYS,
    ".json": LARGEST_FILE,
}
"""File name or ending to the bytes that it may have."""

_SUBMIT = "Make the folder with: bench submit METHOD"


@dataclass(frozen=True)
class Snapshot:
    """What a folder holds, as far as it may be used."""

    files: Mapping[str, bytes]
    problems: tuple[Problem, ...]

    def mentions(self, name: str) -> bool:
        """Whether something was wrong with a file already."""
        return any(problem.file == name for problem in self.problems)


def take_snapshot(folder: Path) -> Snapshot:
    """Read a submission's folder and report everything that does not belong there."""
    try:
        with held_folder(folder) as descriptor:
            place = folder if descriptor is None else descriptor
            with os.scandir(place) as entries:
                listed = list(islice(entries, MOST_FILES + 1))
            return _snapshot(listed, descriptor)
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or "something else"
        if os.path.islink(folder):  # noqa: PTH114  (this one never raises)
            found = "a symbolic link"
        problem = Problem("S001", "", "", "a folder that can be read", found, _SUBMIT)
        return Snapshot({}, (problem,))


def _snapshot(listed: list[os.DirEntry[str]], folder: int | None) -> Snapshot:
    if len(listed) > MOST_FILES:  # which of them were listed is chance: none is read
        expected, found = f"at most {MOST_FILES} files", "more"
        problem = Problem("S005", "", "", expected, found, _SUBMIT)
        return Snapshot({}, (problem,))
    listed.sort(key=lambda entry: entry.name)
    problems = list(_name_problems([entry.name for entry in listed]))
    files: dict[str, bytes] = {}
    for entry in listed:
        found = list(_entry_problems(entry)) or list(_read(entry, files, folder))
        problems.extend(found)
    return Snapshot(files, tuple(problems))


def _name_problems(names: list[str]) -> Iterator[Problem]:
    if MANIFEST not in names and WITHDRAWAL not in names:
        yield Problem("S001", MANIFEST, "", "a manifest", "no such file", _SUBMIT)
    for first, second in collisions(names):
        expected = "names that differ by more than case"
        found = f"{printable(first)} and {printable(second)}"
        yield Problem("S006", second, "", expected, found, "Rename one.")


def _entry_problems(entry: os.DirEntry[str]) -> Iterator[Problem]:
    """Look at a directory entry without opening it."""
    name = entry.name
    for fault in name_faults(name):
        fix = "Use letters, digits, hyphens and dots."
        yield Problem("S006", name, "", "a plain file name", fault, fix)
    if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
        kind = "a symbolic link" if entry.is_symlink() else "not a file"
        fix = "Put plain files directly into the submission's folder."
        yield Problem("S003", name, "", "a regular file", kind, fix)
        return
    limit = _limit(name)
    if limit is None:
        expected = f"{MANIFEST}, {README}, {CODE}, .json and {ARRAYS} files"
        yield Problem("S002", name, "", expected, "another file", "Remove it.")
        return
    size = _size(entry)
    if size is not None and size > limit:
        fix = "Leave out per_prompt, or use fewer discovery prompts."
        if name in (README, CODE):
            fix = "Shorten it."
        yield Problem("S004", name, "", f"at most {limit} bytes", f"{size} bytes", fix)


def _size(entry: os.DirEntry[str]) -> int | None:
    """Return a file's size; None if it is gone, which reading it will say."""
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return None


def _limit(name: str) -> int | None:
    """Return how large a file may be; None if it has no place in a submission."""
    return LARGEST.get(name, LARGEST.get(Path(name).suffix))


def _read(
    entry: os.DirEntry[str], files: dict[str, bytes], folder: int | None
) -> Iterator[Problem]:
    """Read a file beside those that were read already."""
    name, room = entry.name, LARGEST_SUBMISSION - sum(map(len, files.values()))
    if (_size(entry) or 0) > room:
        expected = f"at most {LARGEST_SUBMISSION} bytes in all files together"
        yield Problem("S007", name, "", expected, "more", "Leave out per_prompt.")
        return
    limit = min(_limit(name) or 0, room)
    try:
        files[name] = read_bounded(Path(entry.path), limit=limit, folder=folder)
    except FileFormatError as error:
        found = str(error).replace(entry.path, name)
        fix = "Leave the folder alone while it is validated, and make it readable."
        yield Problem("S008", name, "", "a file that can be read", found, fix)
