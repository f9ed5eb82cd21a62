"""Validate a submission: report all problems, believe no number in it.

Nothing of the submission is imported or executed, and torch is not needed.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord, task_key
from bench.results.scoring import TaskScores, score_record
from bench.results.trusted import Trusted
from bench.scores.version import SCORES_VERSION
from bench.submissions.attribution_checks import read_entry, record_problems
from bench.submissions.manifest import (
    CODE,
    MANIFEST,
    README,
    WITHDRAWAL,
    FileEntry,
    Manifest,
)
from bench.submissions.manifest_checks import manifest_problems
from bench.submissions.problems import Problem, bounded
from bench.submissions.schema_checks import parse_checked
from bench.submissions.snapshot import Snapshot, take_snapshot
from bench.submissions.text_checks import check_text
from bench.submissions.withdrawal import Withdrawal

CLAIM_TOLERANCE = 1e-6
"""Stored numbers are rounded to nine digits, so a claim from them is this exact."""


@dataclass(frozen=True)
class Checked:
    """A submission after validation."""

    folder: Path
    manifest: Manifest | None
    records: dict[str, AttributionRecord] = field(
        default_factory=dict[str, AttributionRecord]
    )
    """Task to attribution, of the files without problems."""
    scores: dict[str, TaskScores] = field(default_factory=dict[str, TaskScores])
    """Task to computed scores."""
    problems: tuple[Problem, ...] = ()
    withdrawal: Withdrawal | None = None
    """What is left, if it was withdrawn."""


def validate_submission(folder: Path, trusted: Trusted) -> Checked:
    """Validate one submission folder and compute its scores."""
    return check_snapshot(folder, take_snapshot(folder), trusted)


def check_snapshot(folder: Path, snapshot: Snapshot, trusted: Trusted) -> Checked:
    """Validate what a submission folder held when it was read.

    Args:
        folder: Where it was read; only its name counts.
        snapshot: What was in it.
        trusted: The repository's own tasks and references.
    """
    if WITHDRAWAL in snapshot.files:
        return _withdrawn(folder, snapshot)
    problems = list(snapshot.problems)
    problems.extend(_text_problems(snapshot))
    data = snapshot.files.get(MANIFEST)
    manifest = None
    if data is not None:
        manifest = parse_checked(MANIFEST, data, Manifest, problems)
    if manifest is None:
        return Checked(folder, None, problems=bounded(problems))
    problems.extend(manifest_problems(_name(folder), snapshot, manifest, trusted))
    records: dict[str, AttributionRecord] = {}
    scores: dict[str, TaskScores] = {}
    for index, entry in _first_entries(manifest):
        record = read_entry(snapshot, entry, index, problems)
        if record is None:
            continue
        found = list(record_problems(record, entry, manifest, trusted))
        problems.extend(found)
        if not found:
            records[entry.task] = record
            targets = trusted.targets(entry.task, manifest.suite.name)
            scores[entry.task] = score_record(record, targets)
    comparable = _comparable(manifest, records, trusted)
    problems.extend(_claim_problems(manifest, {t: scores[t] for t in comparable}))
    return Checked(folder, manifest, records, scores, bounded(problems))


def _first_entries(manifest: Manifest) -> Iterator[tuple[int, FileEntry]]:
    """Go through the listed files, and through none twice: S024 names repetitions."""
    seen: set[str] = set()
    for index, entry in enumerate(manifest.files):
        if entry.path not in seen:
            yield index, entry
        seen.add(entry.path)


def _name(folder: Path) -> str:
    """Return a folder's name, however it was given: as '.', for example."""
    return Path(os.path.normpath(folder.absolute())).name


def _withdrawn(folder: Path, snapshot: Snapshot) -> Checked:
    """Check what is left of a withdrawn submission."""
    problems = list(snapshot.problems)
    withdrawal = parse_checked(
        WITHDRAWAL, snapshot.files[WITHDRAWAL], Withdrawal, problems
    )
    fix = f"Leave {WITHDRAWAL} alone in the folder, as bench withdraw does."
    for name in sorted(set(snapshot.files) - {WITHDRAWAL}):
        problems.append(Problem("S045", name, "", WITHDRAWAL, "another file", fix))
    if withdrawal is not None and withdrawal.method != _name(folder):
        name, fix = withdrawal.method, f"Rename the folder to '{withdrawal.method}'."
        problems.append(
            Problem("S020", WITHDRAWAL, "/method", _name(folder), name, fix)
        )
    return Checked(folder, None, problems=bounded(problems), withdrawal=withdrawal)


def _text_problems(snapshot: Snapshot) -> Iterator[Problem]:
    for name in (README, CODE):
        if name in snapshot.files:
            yield from check_text(name, snapshot.files[name])


def _comparable(
    manifest: Manifest,
    records: Mapping[str, AttributionRecord],
    trusted: Trusted,
) -> list[str]:
    """Return the tasks on which claims and computed scores have to agree.

    A corrected scorer or reference computes others from the same attributions; what was
    claimed before is no mistake of the submission's.
    """
    if manifest.scores_version < SCORES_VERSION:
        return []
    return [
        task
        for task, record in records.items()
        if record.task == task_key(trusted.tasks[task])
    ]


def _claim_problems(
    manifest: Manifest, scores: dict[str, TaskScores]
) -> Iterator[Problem]:
    fix = "Pack the submission again; scores are computed, not claimed."
    for task, computed in scores.items():
        claims = manifest.claimed_overlap.get(task, {})
        for name in PROFILES:
            claimed, found = claims.get(name), computed.profiles[name].overlap.value
            if not _agree(claimed, found):
                pointer = f"/claimed_overlap/{task.replace('/', '~1')}/{name}"
                yield Problem("S040", MANIFEST, pointer, f"{found}", f"{claimed}", fix)
    listed = {entry.task for entry in manifest.files}
    for task in sorted(set(manifest.claimed_overlap) - listed):
        expected = "a task of /files"
        yield Problem("S041", MANIFEST, "/claimed_overlap", expected, task, fix)


def _agree(claimed: float | None, computed: float | None) -> bool:
    if claimed is None or computed is None:
        return claimed is computed
    return abs(claimed - computed) <= CLAIM_TOLERANCE
