"""All submissions of a repository, if every one of them is valid."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InvalidSubmissionError
from bench.results.attribution_record import AttributionRecord
from bench.results.scoring import TaskScores
from bench.results.trusted import Trusted
from bench.submissions.manifest import FOLDER, Manifest
from bench.submissions.validation import validate_submission


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

    Raises:
        InvalidSubmissionError: Submissions have problems; the message, after the last
            one, names all.
    """
    folders = sorted(path for path in (root / FOLDER).glob("*") if path.is_dir())
    broken: list[str] = []
    for folder in folders:
        found = validate_submission(folder, trusted)
        if found.problems or found.manifest is None:
            broken.append(folder.name)
            continue
        yield ValidSubmission(found.manifest, found.records, found.scores)
    if broken:
        raise InvalidSubmissionError(
            f"The leaderboard needs valid submissions; {', '.join(broken)} "
            f"{'has' if len(broken) == 1 else 'have'} problems. See: bench validate "
            + " ".join(f"{FOLDER}/{name}" for name in broken)
        )
