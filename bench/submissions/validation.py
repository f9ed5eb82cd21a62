"""Validate a submission: report all problems, believe no number in it.

Nothing of the submission is imported or executed, and torch is not needed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.profiles.attribution import distance_from_mean
from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import (
    AttributionRecord,
    MethodKey,
    task_key,
)
from bench.results.scoring import TaskScores, score_record
from bench.results.trusted import Trusted
from bench.submissions.folder_checks import check_folder
from bench.submissions.manifest import MANIFEST, FileEntry, Manifest
from bench.submissions.problems import Problem
from bench.submissions.schema_checks import read_checked
from bench.tasks.digest import sha256_of_file

CLAIM_TOLERANCE = 1e-6
"""Stored numbers are rounded to nine digits, so a claim from them is this exact."""


@dataclass(frozen=True)
class Checked:
    """A submission after validation."""

    folder: Path
    manifest: Manifest | None
    records: dict[str, AttributionRecord]
    """Task to attribution, of the files without problems."""
    scores: dict[str, TaskScores]
    """Task to computed scores."""
    problems: tuple[Problem, ...]


def validate_submission(folder: Path, trusted: Trusted) -> Checked:
    """Validate one submission folder and compute its scores."""
    problems = list(check_folder(folder))
    if any(problem.code in ("S001", "S003", "S004") for problem in problems):
        return Checked(folder, None, {}, {}, tuple(problems))
    manifest = read_checked(folder / MANIFEST, Manifest, problems)
    if manifest is None:
        return Checked(folder, None, {}, {}, tuple(problems))
    problems.extend(_manifest_problems(folder, manifest, trusted))
    records: dict[str, AttributionRecord] = {}
    scores: dict[str, TaskScores] = {}
    for index, entry in enumerate(manifest.files):
        record = _read_entry(folder, entry, index, problems)
        if record is None:
            continue
        found = list(_record_problems(record, entry, manifest, trusted))
        problems.extend(found)
        if not found:
            records[entry.task] = record
            targets = trusted.targets(entry.task, manifest.suite.name)
            scores[entry.task] = score_record(record, targets)
    problems.extend(_claim_problems(manifest, scores))
    return Checked(folder, manifest, records, scores, tuple(problems))


def _manifest_problems(
    folder: Path, manifest: Manifest, trusted: Trusted
) -> Iterator[Problem]:
    name = manifest.method.name
    if folder.name != name:
        fix = f"Rename the folder to '{name}'."
        yield Problem("S020", MANIFEST, "/method/name", folder.name, name, fix)
    yield from _built_in_problems(manifest.method, trusted)
    yield from _suite_problems(manifest, trusted)
    for task, count in Counter(entry.task for entry in manifest.files).items():
        if count > 1:
            expected, found = "each task once", f"'{task}' {count} times"
            yield Problem("S024", MANIFEST, "/files", expected, found, "Keep one.")
    listed = {MANIFEST, *(entry.path for entry in manifest.files)}
    for path in sorted(folder.glob("*.json")):
        if path.name not in listed:
            fix = "Remove it, or pack the submission again."
            yield Problem("S002", path.name, "", "a listed file", "not listed", fix)


def _built_in_problems(method: MethodKey, trusted: Trusted) -> Iterator[Problem]:
    """Report what passes for a built-in method and is none."""
    name, source = method.name, trusted.sources.get(method.name)
    if name in trusted.built_in and method.origin != "built-in":
        fix = "Give your method another name."
        yield Problem("S021", MANIFEST, "/method/name", "a name of its own", name, fix)
    if method.origin == "built-in" and name not in trusted.built_in:
        fix = "Evaluate the method from its own file or module."
        expected, found = "file, module or entry-point", "built-in"
        yield Problem("S021", MANIFEST, "/method/origin", expected, found, fix)
    if method.origin == "built-in" and method.oracle != (name in trusted.oracles):
        expected, found = f"{name in trusted.oracles}", f"{method.oracle}"
        fix = "Evaluate and submit the built-in method as it is now."
        yield Problem("S021", MANIFEST, "/method/oracle", expected, found, fix)
    if method.origin == "built-in" and source not in (None, method.source_sha256):
        fix = "Evaluate and submit the built-in method as it is now."
        yield Problem(
            "S021",
            MANIFEST,
            "/method/source_sha256",
            f"{source}",
            method.source_sha256,
            fix,
        )


def _suite_problems(manifest: Manifest, trusted: Trusted) -> Iterator[Problem]:
    suite = trusted.suites.get(manifest.suite.name)
    found = f"{manifest.suite.name} {manifest.suite.version}"
    if suite is None or suite.version != manifest.suite.version:
        known = ", ".join(f"{n} {s.version}" for n, s in sorted(trusted.suites.items()))
        fix = "Evaluate and pack again with this version of the repository."
        yield Problem("S025", MANIFEST, "/suite", known, found, fix)
        return
    listed = {entry.task for entry in manifest.files}
    missing = [task for task in suite.tasks if task not in listed]
    if manifest.incomplete is not None and not missing:
        fix = "Pack the submission again, without --incomplete."
        yield Problem("S027", MANIFEST, "/incomplete", "null", "a reason", fix)
    for task in missing if manifest.incomplete is None else ():
        fix = (
            f"Run: bench evaluate METHOD --suite {manifest.suite.name}, or say why it "
            "is missing: bench submit METHOD --incomplete REASON"
        )
        yield Problem("S026", MANIFEST, "/files", task, "no entry", fix)


def _read_entry(
    folder: Path, entry: FileEntry, index: int, problems: list[Problem]
) -> AttributionRecord | None:
    path, pointer = folder / entry.path, f"/files/{index}"
    fix = "Pack the submission again."
    if not path.is_file() or entry.path == MANIFEST:
        problems.append(
            Problem("S022", MANIFEST, pointer, entry.path, "no such file", fix)
        )
        return None
    size, digest = path.stat().st_size, sha256_of_file(path)
    if (size, digest) != (entry.bytes, entry.sha256):
        expected = f"{entry.bytes} bytes, SHA-256 {entry.sha256[:12]}..."
        found = f"{size} bytes, SHA-256 {digest[:12]}..."
        problems.append(Problem("S023", entry.path, "", expected, found, fix))
        return None
    return read_checked(path, AttributionRecord, problems)


def _record_problems(
    record: AttributionRecord, entry: FileEntry, manifest: Manifest, trusted: Trusted
) -> Iterator[Problem]:
    file = entry.path
    if record.method != manifest.method or record.task.id != entry.task:
        expected = f"{manifest.method.name} on {entry.task}"
        found = f"{record.method.name} on {record.task.id}"
        if expected == found:
            found += ", with another source, kind or summary"
        yield Problem("S033", file, "/method", expected, found, "Pack it again.")
    task = trusted.tasks.get(record.task.id)
    if task is None:
        known = ", ".join(sorted(trusted.tasks))
        fix = "Remove the file: only tasks of the repository are ranked."
        yield Problem("S030", file, "/task/id", known, record.task.id, fix)
        return
    if task.id not in trusted.references:
        expected, found = "a task with a reference", f"{task.id}: reference pending"
        fix = "Wait until its reference is measured: nothing can be scored before."
        yield Problem("S035", file, "/task/id", expected, found, fix)
    if record.task != task_key(task):
        expected = f"version {task.spec.version}, digest {task.digest[:12]}"
        found = f"version {record.task.version}, digest {record.task.digest[:12]}"
        fix = "Evaluate the method again on the present task."
        yield Problem("S031", file, "/task", expected, found, fix)
    if len(record.values) != task.n_sections:
        expected, found = f"{task.n_sections} values", f"{len(record.values)} values"
        fix = "Give one number for each section."
        yield Problem("S032", file, "/values", expected, found, fix)
    yield from _mean_problems(record, file)


def _mean_problems(record: AttributionRecord, file: str) -> Iterator[Problem]:
    distance = distance_from_mean(record.raw)
    if distance is not None:
        expected, found = "the mean of per_prompt", f"off by up to {distance:.3g}"
        fix = "Leave per_prompt out if the attribution is not a mean over prompts."
        yield Problem("S034", file, "/values", expected, found, fix)


def _claim_problems(
    manifest: Manifest, scores: dict[str, TaskScores]
) -> Iterator[Problem]:
    for task, computed in scores.items():
        claims = manifest.claimed_overlap.get(task, {})
        for name in PROFILES:
            claimed, found = claims.get(name), computed.profiles[name].overlap.value
            if not _agree(claimed, found):
                pointer = f"/claimed_overlap/{task.replace('/', '~1')}/{name}"
                fix = "Pack the submission again; scores are computed, not claimed."
                yield Problem("S040", MANIFEST, pointer, f"{found}", f"{claimed}", fix)


def _agree(claimed: float | None, computed: float | None) -> bool:
    if claimed is None or computed is None:
        return claimed is computed
    return abs(claimed - computed) <= CLAIM_TOLERANCE
