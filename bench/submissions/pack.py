"""Pack results into a submission."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.errors import FileFormatError, UserError
from bench.methods.catalogue import built_in
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import (
    AttributionRecord,
    MethodKey,
    accepted_keys,
    attribution_files,
    read_attribution,
)
from bench.results.provenance import FLOAT32, bench_version
from bench.results.scoring import score_record
from bench.results.store import to_json
from bench.results.trusted import Trusted
from bench.scores.version import SCORES_VERSION
from bench.submissions.folder import write_folder
from bench.submissions.manifest import (
    CODE,
    LONGEST_REASON,
    MANIFEST,
    README,
    CodePackage,
    Manifest,
    SuiteKey,
    array_name,
    code_file,
    file_entry,
    file_name,
    sealed,
)
from bench.submissions.snapshot import LARGEST
from bench.tasks.bounded import read_bounded
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.one_line import check_reason


def pack_submission(
    results: Path,
    *,
    suite: str,
    trusted: Trusted,
    out: Path,
    source: Path | CodePackage | None = None,
    incomplete: str | None = None,
) -> Manifest:
    """Copy the attributions of a results folder into a submission folder.

    Args:
        results: Folder that ``bench evaluate`` wrote.
        suite: Name of the suite.
        trusted: The repository's tasks and references.
        out: Folder of submissions; the new one is named after the method.
        source: The method's source file, which has to be the one that was evaluated
            and goes into the submission if the method is a file of its own; or the
            published package that holds the method.
        incomplete: Why tasks of the suite are missing; without it none may be.

    Raises:
        UnknownNameError: There is no such suite.
        UserError: References are pending, tasks are missing without a reason, results
            differ in method or task version, the source was changed since, or the name
            belongs to a built-in method.
        FileFormatError: The source cannot be read or is too large.
        NoRoomError: A file could not be written.
    """
    pending = trusted.pending(suite)
    if pending:
        raise UserError(
            f"Suite '{suite}' takes no submissions yet: the references of "
            f"{', '.join(pending)} are pending. Measure them with: bench reference "
            "compute TASK"
        )
    if incomplete is not None:
        what = "The reason why tasks are missing"
        check_reason(incomplete, what=what, longest=LONGEST_REASON)
    records = _read_results(results, suite=suite, trusted=trusted, reason=incomplete)
    method = next(iter(records.values())).method
    package = source if isinstance(source, CodePackage) else None
    code = _read_code(source, method, results) if isinstance(source, Path) else None
    if method.name in trusted.built_in and method.origin != "built-in":
        raise UserError(
            f"'{method.name}' is the name of a built-in method. Give your method "
            "another name and evaluate it again."
        )
    files = {task: attribution_files(record) for task, record in records.items()}
    contents = {file_name(task): data for task, (data, _) in files.items()}
    for task, (_, arrays) in files.items():
        if arrays is not None:
            contents[array_name(file_name(task))] = arrays
    if code is not None:
        contents[CODE] = code
    manifest = sealed(
        Manifest(
            method=method,
            suite=SuiteKey(name=suite, version=trusted.suites[suite].version),
            files=tuple(file_entry(task, data) for task, (data, _) in files.items()),
            code=code_file(code) if code else package,
            incomplete=incomplete,
            claimed_overlap={
                task: _claims(record, suite=suite, trusted=trusted)
                for task, record in records.items()
            },
            scores_version=SCORES_VERSION,
            bench=bench_version(),
            digest="0" * 64,
        )
    )
    contents[MANIFEST] = to_json(manifest)
    folder = out / method.name
    if not (folder / README).exists():
        contents[README] = _readme(method).encode()
    write_folder(folder, contents)
    return manifest


def _read_code(source: Path, method: MethodKey, results: Path) -> bytes | None:
    """Read the code that made the results; return it if it is a file of its own."""
    code = read_bounded(source.resolve(), limit=LARGEST[CODE])
    if sha256_of_bytes(code) != method.source_sha256:
        raise UserError(
            f"'{method.source}' was changed after the results in '{results}' were "
            "made. Evaluate it again, then submit."
        )
    return code if method.origin == "file" else None


def _readme(method: MethodKey) -> str:
    """Begin a text about the method, for its author to go on with."""
    about = (
        "What it computes, what it is expected to find, what to miss: yet to be said."
    )
    if method.origin == "built-in" and method.name in built_in():
        about = built_in()[method.name].text
    return f"# {method.name}\n\n{method.summary}\n\n{about}\n"


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
        if record.task not in accepted_keys(trusted.tasks[name]):
            problems.append(f"  '{path}' was made on another version of '{name}'.")
        if (dtype := record.provenance.dtype) != FLOAT32:
            problems.append(f"  '{path}' was computed in {dtype}, not in {FLOAT32}.")
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
