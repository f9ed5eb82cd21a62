"""Review a pull request: one submission and nothing else, taken as data."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.results.trusted import Trusted
from bench.submissions.file_names import printable
from bench.submissions.git_tree import (
    MOST_CHANGES,
    PLAIN,
    Change,
    changes,
    extract,
    files_below,
    merge_base,
)
from bench.submissions.manifest import FOLDER
from bench.submissions.problems import Problem
from bench.submissions.snapshot import LARGEST
from bench.submissions.validation import Checked, validate_submission
from bench.tasks.spec import SLUG

_SHOWN = 20
"""Paths outside of the submission that are named one by one."""


@dataclass(frozen=True)
class Review:
    """What a pull request comes to."""

    name: str | None
    """Of the one submission; None if there is not one."""
    checked: Checked | None
    problems: tuple[Problem, ...]
    """Of the pull request, then of the submission; each names a path in it."""

    @property
    def valid(self) -> bool:
        """Whether it may be merged as far as can be told without running the method."""
        return not self.problems


def review_pull_request(
    repository: Path, trusted: Trusted, *, base: str, head: str
) -> Review:
    """Compare a branch with where it left the main one, and validate what it submits.

    Args:
        repository: A git repository that has both commits.
        trusted: The repository's own tasks and references, from elsewhere.
        base: The branch to merge into.
        head: The commit to merge.

    Raises:
        UserError: git cannot be run, or a revision is unknown.
    """
    changed = changes(repository, merge_base(repository, base, head), head)
    names = sorted({name for change in changed if (name := _submission(change.path))})
    problems = list(_scope_problems(changed, names))
    if len(names) != 1:
        return Review(None, None, tuple(problems))
    name = names[0]
    problems.extend(_ownership_problems(name, trusted))
    files = list(files_below(repository, head, f"{FOLDER}/{name}"))
    problems.extend(_tree_problems(name, files))
    if not files or not re.fullmatch(SLUG, name):
        return Review(name, None, tuple(problems))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "checked" / name
        extract(repository, _direct(name, files), folder, limit=max(LARGEST.values()))
        checked = validate_submission(folder, trusted)
    problems.extend(_placed(problem, name) for problem in checked.problems)
    return Review(name, checked, tuple(problems))


def _submission(path: str) -> str | None:
    """Return the submission that a path lies in."""
    top, _, rest = path.partition("/")
    name, slash, _ = rest.partition("/")
    return name if top == FOLDER and slash else None


def _direct(name: str, files: Sequence[Change]) -> Iterator[Change]:
    """Return the files that lie in a submission's folder itself."""
    depth = f"{FOLDER}/{name}/".count("/")
    return (file for file in files if file.path.count("/") == depth)


def _scope_problems(changed: Sequence[Change], names: list[str]) -> Iterator[Problem]:
    """Report a pull request that is not one submission."""
    fix = (
        f"Leave one folder of {FOLDER}/ in this pull request; open another for others."
    )
    expected = f"changes of one folder of {FOLDER}/"
    if not changed:
        yield Problem("S053", FOLDER, "", expected, "no change", fix)
    outside = [change.path for change in changed if not _submission(change.path)]
    for path in outside[:_SHOWN]:
        yield Problem("S050", printable(path), "", expected, "another file", fix)
    if len(outside) > _SHOWN:
        found = f"{len(outside) - _SHOWN} more"
        yield Problem("S050", ".", "", expected, found, fix)
    if len(names) > 1:
        found = ", ".join(printable(name) for name in names[:_SHOWN])
        yield Problem("S051", FOLDER, "", "one submission", found, fix)
    if len(changed) > MOST_CHANGES:
        expected, found = f"at most {MOST_CHANGES} changes", "more"
        yield Problem("S050", ".", "", expected, found, fix)


def _ownership_problems(name: str, trusted: Trusted) -> Iterator[Problem]:
    if name in trusted.built_in:
        fix = "Give your method another name. Built-in ones are run by this repository."
        path, expected = f"{FOLDER}/{name}", "a submission of your own"
        yield Problem("S054", path, "", expected, "a built-in method's", fix)


def _tree_problems(name: str, files: Sequence[Change]) -> Iterator[Problem]:
    """Report what is no plain file directly in the folder, or not there at all."""
    folder = f"{FOLDER}/{name}"
    if not re.fullmatch(SLUG, name):
        fix = "Name the folder like the method, as bench submit does."
        expected = "lower-case letters, digits and hyphens, 64 at most"
        place, found = printable(folder), printable(name)
        yield Problem("S020", place, "", expected, found, fix)
    if not files:
        fix = f"Withdraw it with: bench withdraw {printable(name)} --reason REASON"
        expected, found = "a submission or a withdrawal", "a deleted folder"
        yield Problem("S055", printable(folder), "", expected, found, fix)
    direct = {file.path for file in _direct(name, files)}
    for file in files:
        path = printable(file.path)
        if file.mode != PLAIN:
            fix = "Commit a plain file: no link, no submodule, not executable."
            found = f"mode {file.mode}"
            yield Problem("S052", path, "", f"mode {PLAIN}", found, fix)
        elif file.path not in direct:
            fix = "Put plain files directly into the submission's folder."
            yield Problem("S003", path, "", "a regular file", "a folder", fix)


def _placed(problem: Problem, name: str) -> Problem:
    """Name a submission's file by its path in the repository."""
    folder = f"{FOLDER}/{printable(name)}"
    return replace(problem, file=f"{folder}/{problem.file}".rstrip("/"))
