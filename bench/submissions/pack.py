"""Pack results into a submission."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from bench.errors import FileFormatError, UserError
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import (
    AttributionRecord,
    read_attribution,
    task_key,
)
from bench.results.provenance import bench_version
from bench.results.scoring import score_record
from bench.results.store import to_json, write_atomically
from bench.results.trusted import Trusted
from bench.submissions.manifest import (
    LONGEST_REASON,
    MANIFEST,
    Manifest,
    SuiteKey,
    file_entry,
    file_name,
    read_manifest,
)


def pack_submission(
    results: Path,
    *,
    suite: str,
    trusted: Trusted,
    out: Path,
    source_sha256: str | None = None,
    incomplete: str | None = None,
) -> Manifest:
    """Copy the attributions of a results folder into a submission folder.

    Args:
        results: Folder that ``bench evaluate`` wrote.
        suite: Name of the suite.
        trusted: The repository's tasks and references.
        out: Folder of submissions; the new one is named after the method.
        source_sha256: Digest that the method's source has now, if it is at hand.
        incomplete: Why tasks of the suite are missing; without it none may be.

    Raises:
        UnknownNameError: There is no such suite.
        UserError: References are pending, tasks are missing without a reason, results
            differ in method or task version, or the name belongs to a built-in method.
        NoRoomError: A file could not be written.
    """
    pending = trusted.pending(suite)
    if pending:
        raise UserError(
            f"Suite '{suite}' takes no submissions yet: the references of "
            f"{', '.join(pending)} are pending. Measure them with: bench reference "
            "compute TASK"
        )
    _check_reason(incomplete)
    records = _read_results(results, suite=suite, trusted=trusted, reason=incomplete)
    method = next(iter(records.values())).method
    if source_sha256 not in (None, method.source_sha256):
        raise UserError(
            f"'{method.source}' was changed after the results in '{results}' were "
            "made. Evaluate it again, then submit."
        )
    if method.name in trusted.built_in and method.origin != "built-in":
        raise UserError(
            f"'{method.name}' is the name of a built-in method. Give your method "
            "another name and evaluate it again."
        )
    contents = {task: to_json(record) for task, record in records.items()}
    manifest = Manifest(
        method=method,
        suite=SuiteKey(name=suite, version=trusted.suites[suite].version),
        files=tuple(file_entry(task, data) for task, data in contents.items()),
        incomplete=incomplete,
        claimed_overlap={
            task: _claims(record, suite=suite, trusted=trusted)
            for task, record in records.items()
        },
        bench=bench_version(),
    )
    _write(out / method.name, contents, manifest)
    return manifest


def _write(folder: Path, contents: Mapping[str, bytes], manifest: Manifest) -> None:
    """Write a submission over one that was packed before."""
    left_over = _listed(folder) - {MANIFEST, *(e.path for e in manifest.files)}
    for task, data in contents.items():
        write_atomically(folder / file_name(task), data)
    write_atomically(folder / MANIFEST, to_json(manifest))
    # last, so that a failure before loses nothing; what resists, validation names
    for name in left_over:
        with suppress(OSError):
            (folder / name).unlink()


def _check_reason(reason: str | None) -> None:
    if reason is None:
        return
    if not 1 <= len(reason.strip()) <= LONGEST_REASON or not reason.isprintable():
        raise UserError(
            f"The reason why tasks are missing is {reason!a}; expected one line "
            f"of 1 to {LONGEST_REASON} characters."
        )


def _listed(folder: Path) -> set[str]:
    """Return the files of a submission that was packed before."""
    with suppress(FileFormatError):
        return {entry.path for entry in read_manifest(folder).files}
    return set()


def _read_results(
    results: Path, *, suite: str, trusted: Trusted, reason: str | None
) -> dict[str, AttributionRecord]:
    records: dict[str, AttributionRecord] = {}
    problems: list[str] = []
    for name in trusted.suite(suite).tasks:
        path = results / f"{name}.json"
        if reason is not None and not path.exists():
            continue
        try:
            record = read_attribution(path)
        except FileFormatError as error:
            problems.append(f"  {error}")
            continue
        if record.task != task_key(trusted.tasks[name]):
            problems.append(f"  '{path}' was made on another version of '{name}'.")
        records[name] = record
    complete = len(records) == len(trusted.suite(suite).tasks)
    if reason is not None and complete:
        raise UserError(
            f"The results in '{results}' are complete. Submit them without "
            "--incomplete."
        )
    problems.extend(_method_problems(records, n_problems=len(problems)))
    if problems:
        raise UserError(
            f"The results in '{results}' cannot be submitted to suite '{suite}':\n"
            + "\n".join(problems)
            + f"\nRun: bench evaluate METHOD --suite {suite}; or submit what there is "
            "with --incomplete REASON"
        )
    return records


def _method_problems(
    records: Mapping[str, AttributionRecord], *, n_problems: int
) -> Iterator[str]:
    """Look for the one method that all results have to come from."""
    methods = [record.method for record in records.values()]
    if not methods and not n_problems:
        yield "  there is none for any task of the suite."
    if any(method != methods[0] for method in methods):
        yield "  the results come from different versions of the method."


def _claims(
    record: AttributionRecord, *, suite: str, trusted: Trusted
) -> dict[ProfileName, float | None]:
    scores = score_record(record, trusted.targets(record.task.id, suite))
    return {name: scores.profiles[name].overlap.value for name in PROFILES}
