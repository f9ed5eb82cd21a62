"""Check what a manifest says of the submission against the folder and the suite."""

from collections import Counter
from collections.abc import Iterator

from bench.results.attribution_record import MethodKey
from bench.results.trusted import Trusted
from bench.submissions.content_checks import AGAIN, content_problems
from bench.submissions.manifest import (
    CODE,
    MANIFEST,
    README,
    CodeFile,
    CodePackage,
    Manifest,
    array_name,
)
from bench.submissions.problems import Problem
from bench.submissions.snapshot import Snapshot


def manifest_problems(
    folder: str, snapshot: Snapshot, manifest: Manifest, trusted: Trusted
) -> Iterator[Problem]:
    """Report what is wrong with a manifest beyond its form.

    Args:
        folder: Name of the submission's folder.
        snapshot: What the folder holds.
        manifest: Its manifest.
        trusted: The repository's own tasks and suites.
    """
    name = manifest.method.name
    if folder != name:
        fix = f"Rename the folder to '{name}'."
        yield Problem("S020", MANIFEST, "/method/name", folder, name, fix)
    digest = manifest.content_digest
    if manifest.digest != digest:
        expected, found = f"{digest[:12]}...", f"{manifest.digest[:12]}..."
        yield Problem("S028", MANIFEST, "/digest", expected, found, AGAIN)
    yield from _built_in_problems(manifest.method, trusted)
    yield from _suite_problems(manifest, trusted)
    yield from _repetitions(manifest)
    yield from _file_problems(snapshot, manifest)
    yield from _code_problems(snapshot, manifest)


def _built_in_problems(method: MethodKey, trusted: Trusted) -> Iterator[Problem]:
    """Report what passes for a built-in method and is none."""
    name, source = method.name, trusted.sources.get(method.name)
    if name in trusted.built_in and method.origin != "built-in":
        fix = "Give your method another name."
        yield Problem("S021", MANIFEST, "/method/name", "a name of its own", name, fix)
    if method.origin != "built-in":
        return
    fix = "Evaluate and submit the built-in method as it is now."
    if name not in trusted.built_in:
        fix = "Evaluate the method from its own file or module."
        expected, found = "file, module or entry-point", "built-in"
        yield Problem("S021", MANIFEST, "/method/origin", expected, found, fix)
    if method.oracle != (name in trusted.oracles):
        expected, found = f"{name in trusted.oracles}", f"{method.oracle}"
        yield Problem("S021", MANIFEST, "/method/oracle", expected, found, fix)
    found = method.source_sha256
    if source not in (None, found):
        pointer = "/method/source_sha256"
        yield Problem("S021", MANIFEST, pointer, f"{source}", found, fix)


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


def _repetitions(manifest: Manifest) -> Iterator[Problem]:
    for what, listed in (
        ("task", [entry.task for entry in manifest.files]),
        ("file", [entry.path for entry in manifest.files]),
    ):
        for name, count in Counter(listed).items():
            if count > 1:
                expected, found = f"each {what} once", f"'{name}' {count} times"
                yield Problem("S024", MANIFEST, "/files", expected, found, "Keep one.")


def _file_problems(snapshot: Snapshot, manifest: Manifest) -> Iterator[Problem]:
    """Compare the files that there are with those that belong to the submission."""
    listed = {MANIFEST, README, *(entry.path for entry in manifest.files)}
    beside = {array_name(entry.path) for entry in manifest.files}
    if isinstance(manifest.code, CodeFile):
        listed.add(CODE)
    for name in sorted(set(snapshot.files) - listed - beside):
        fix = "Remove it, or pack the submission again."
        yield Problem("S002", name, "", "a listed file", "not listed", fix)
    if README not in snapshot.files and not snapshot.mentions(README):
        fix = "Say in it what the method does; bench submit writes a first one."
        yield Problem("S022", README, "", "a text about the method", "no file", fix)


def _code_problems(snapshot: Snapshot, manifest: Manifest) -> Iterator[Problem]:
    """Check that the code is the one that the attributions were made with."""
    code, method = manifest.code, manifest.method
    if isinstance(code, CodePackage) and method.origin not in ("module", "entry-point"):
        expected, found = "module or entry-point", method.origin
        yield Problem("S029", MANIFEST, "/method/origin", expected, found, AGAIN)
    if not isinstance(code, CodeFile):
        return
    if method.origin != "file":
        yield Problem("S029", MANIFEST, "/method/origin", "file", method.origin, AGAIN)
    if code.sha256 != method.source_sha256:
        expected, found = f"{method.source_sha256[:12]}...", f"{code.sha256[:12]}..."
        yield Problem("S029", MANIFEST, "/code/sha256", expected, found, AGAIN)
    data = snapshot.files.get(CODE)
    if data is None:
        if not snapshot.mentions(CODE):
            yield Problem("S022", MANIFEST, "/code/path", CODE, "no such file", AGAIN)
    else:
        yield from content_problems(CODE, data, code)
