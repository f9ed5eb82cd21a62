"""All submissions of a repository, if every one of them is valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InvalidSubmissionError
from bench.results.attribution_record import AttributionRecord
from bench.results.scoring import TaskScores
from bench.results.trusted import Trusted
from bench.submissions.manifest import FOLDER, README, WITHDRAWAL, Manifest
from bench.submissions.validation import validate_submission
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.strict_json import read_strict_json


@dataclass(frozen=True)
class ValidSubmission:
    """A submission without problems."""

    manifest: Manifest
    records: dict[str, AttributionRecord]
    """Task to attribution."""
    scores: dict[str, TaskScores]
    """Task to computed scores."""


def collect_submissions(root: Path, trusted: Trusted) -> Iterator[ValidSubmission]:
    """Validate every submission of a repository, in the order of their names.

    Those that were withdrawn are left out.

    Raises:
        InvalidSubmissionError: Submissions have problems, or a file lies among them;
            the message, after the last one, names all.
    """
    broken: list[str] = []
    for path in sorted((root / FOLDER).glob("*")):
        if path.name == README and path.is_file():
            continue  # says what the folder is
        found = validate_submission(path, trusted)
        if found.problems:
            broken.append(path.name)
        elif found.manifest is not None:
            yield ValidSubmission(found.manifest, found.records, found.scores)
    if broken:
        raise InvalidSubmissionError(
            f"The leaderboard needs valid submissions; {', '.join(broken)} "
            f"{'has' if len(broken) == 1 else 'have'} problems. See: bench validate "
            + " ".join(f"{FOLDER}/{name}" for name in broken)
        )


def collect_withdrawals(root: Path) -> dict[str, str]:
    """Map the withdrawn submissions of a repository to why they were withdrawn.

    Raises:
        FileFormatError: One of them cannot be read.
    """
    return {found.method: found.reason for found in read_withdrawals(root)}


def read_withdrawals(root: Path) -> list[Withdrawal]:
    """Read the withdrawn submissions of a repository, in the order of their names.

    Raises:
        FileFormatError: One of them cannot be read.
    """
    files = sorted((root / FOLDER).glob(f"*/{WITHDRAWAL}"))
    return [Withdrawal.parse(read_strict_json(file), file=file) for file in files]
