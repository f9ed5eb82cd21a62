"""Check the attributions of a submission, one task at a time."""

from collections.abc import Iterator

import numpy as np

from bench.errors import FileFormatError
from bench.profiles.attribution import distance_from_mean
from bench.results.attribution_record import (
    AttributionRecord,
    accepted_keys,
    with_arrays,
)
from bench.results.provenance import FLOAT32
from bench.results.trusted import Trusted
from bench.submissions.content_checks import AGAIN, content_problems
from bench.submissions.manifest import MANIFEST, FileEntry, Manifest, array_name
from bench.submissions.problems import Problem
from bench.submissions.schema_checks import parse_checked
from bench.submissions.snapshot import Snapshot
from bench.tasks.spec import Task

LARGEST_NUMBER = 1e100
"""What is larger overflows when it is added up; a float32 ends at 3.4e38."""


def read_entry(
    snapshot: Snapshot, entry: FileEntry, index: int, problems: list[Problem]
) -> AttributionRecord | None:
    """Read one listed attribution, or add what is wrong with it to ``problems``."""
    data = snapshot.files.get(entry.path)
    if data is None or entry.path == MANIFEST:
        if snapshot.mentions(entry.path):
            return None
        pointer, found = f"/files/{index}", "no such file"
        problems.append(Problem("S022", MANIFEST, pointer, entry.path, found, AGAIN))
        return None
    differing = list(content_problems(entry.path, data, entry))
    if differing:
        problems.extend(differing)
        return None
    record = parse_checked(entry.path, data, AttributionRecord, problems)
    if record is None:
        return None
    return _join(snapshot, entry, record, problems)


def _join(
    snapshot: Snapshot,
    entry: FileEntry,
    record: AttributionRecord,
    problems: list[Problem],
) -> AttributionRecord | None:
    """Add the per-prompt values that lie in a file of their own."""
    name = array_name(entry.path)
    arrays = snapshot.files.get(name)
    if record.per_prompt_file is None:
        if arrays is not None:
            fix = "Remove it, or pack the submission again."
            problems.append(
                Problem("S002", name, "", "no file of per_prompt", "a file", fix)
            )
        return record
    if arrays is None:
        if not snapshot.mentions(name):
            pointer, found = "/per_prompt_file", "no such file"
            problems.append(Problem("S022", entry.path, pointer, name, found, AGAIN))
        return None
    try:
        return with_arrays(record, arrays, file=name)
    except FileFormatError as error:
        expected = f"one tensor per_prompt, as {entry.path} records it"
        problems.append(Problem("S013", name, "", expected, str(error), AGAIN))
        return None


def record_problems(
    record: AttributionRecord, entry: FileEntry, manifest: Manifest, trusted: Trusted
) -> Iterator[Problem]:
    """Report an attribution that is not the method's answer to the present task."""
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
    yield from _task_problems(record, task, file, trusted)


def _task_problems(
    record: AttributionRecord, task: Task, file: str, trusted: Trusted
) -> Iterator[Problem]:
    if task.id not in trusted.references:
        expected, found = "a task with a reference", f"{task.id}: reference pending"
        fix = "Wait until its reference is measured: nothing can be scored before."
        yield Problem("S035", file, "/task/id", expected, found, fix)
    if record.task not in accepted_keys(task):
        expected = f"version {task.spec.version}, digest {task.digest[:12]}"
        found = f"version {record.task.version}, digest {record.task.digest[:12]}"
        fix = "Evaluate the method again on the present task."
        yield Problem("S031", file, "/task", expected, found, fix)
    if len(record.values) != task.n_sections:
        expected, found = f"{task.n_sections} values", f"{len(record.values)} values"
        fix = "Give one number for each section."
        yield Problem("S032", file, "/values", expected, found, fix)
    large = list(_large_numbers(record))
    for pointer in large:
        expected, found = f"numbers up to {LARGEST_NUMBER:g}", "a larger one"
        yield Problem("S036", file, pointer, expected, found, "Scale them down.")
    if (dtype := record.provenance.dtype) != FLOAT32:
        fix = "Evaluate the method again without --dtype."
        yield Problem("S037", file, "/provenance/dtype", FLOAT32, dtype, fix)
    distance = None if large else distance_from_mean(record.raw)
    if distance is not None:
        expected, found = "the mean of per_prompt", f"off by up to {distance:.3g}"
        fix = "Leave per_prompt out if the attribution is not a mean over prompts."
        yield Problem("S034", file, "/values", expected, found, fix)


def _large_numbers(record: AttributionRecord) -> Iterator[str]:
    """Return the pointers of numbers that overflow when they are added up."""
    numbers = {
        "/values": record.values,
        "/per_prompt": record.per_prompt,
        "/untrained": record.untrained,
        "/control": record.control,
        "/cost_forward_equivalents": record.cost_forward_equivalents,
        "/wall_s": record.wall_s,
    }
    for pointer, value in numbers.items():
        if value is not None and np.abs(np.asarray(value)).max() > LARGEST_NUMBER:
            yield pointer
