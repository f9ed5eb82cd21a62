"""The manifest of a submission: ``submissions/<method>/submission.json``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.profiles.promptwise import ProfileName
from bench.results.attribution_record import ARRAYS, MethodKey
from bench.results.store import to_json
from bench.tasks.digest import sha256_of_bytes, sha256_of_record
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import TEXT, Digest, Text
from bench.tasks.strict_json import read_strict_json

MANIFEST = "submission.json"
README = "README.md"
CODE = "method.py"
WITHDRAWAL = "withdrawal.json"
FOLDER = "submissions"
LONGEST_REASON = 200

Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=TEXT)]


class SuiteKey(FrozenModel):
    """Which suite, exactly."""

    name: Text
    version: Text


class CodeFile(FrozenModel):
    """The method as one file of the submission."""

    kind: Literal["file"] = "file"
    path: Literal["method.py"] = "method.py"
    bytes: Annotated[int, Field(ge=1)]
    sha256: Digest


class CodePackage(FrozenModel):
    """The method as a version of a published package."""

    kind: Literal["package"] = "package"
    requirement: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*$",
            max_length=120,
        ),
    ]
    """``name==version``."""
    sha256: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=100)]
    """Digests of the wheels that may be installed for it."""


class FileEntry(FrozenModel):
    """One attribution file of the submission."""

    task: Text
    path: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*\.json$", max_length=120)]
    """File name inside the submission's folder."""
    bytes: Annotated[int, Field(ge=1)]
    sha256: Digest


class Manifest(FrozenModel):
    """What a submission says of itself."""

    schema_version: SchemaVersion = 1
    method: MethodKey
    suite: SuiteKey
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1, max_length=100)]
    code: Annotated[CodeFile | CodePackage, Field(discriminator="kind")] | None = None
    """What to run to get the attributions again; without it they stay claims."""
    incomplete: Reason | None = None
    """Why tasks of the suite are missing; None if none is. Shown, and not ranked."""
    claimed_overlap: dict[Text, dict[ProfileName, float | None]]
    """Task to profile to the overlap that ``bench evaluate`` printed; None where it is
    undefined. Validation computes it anew and never believes it."""
    scores_version: Annotated[int, Field(ge=1)] = 1
    """Version of the scores that these are; a later one may compute others."""
    bench: Text
    """Version of ``bench`` that packed the submission."""
    digest: Digest
    """SHA-256 over everything else here, by which a submission is known."""

    @property
    def content_digest(self) -> str:
        """What the digest has to be: over the canonical JSON of all other fields."""
        return sha256_of_record(self.model_dump(mode="json", exclude={"digest"}))


def sealed(manifest: Manifest) -> Manifest:
    """Return a manifest with its digest, as it is going to be read back."""
    written = Manifest.parse(to_json(manifest), file=MANIFEST)
    return written.model_copy(update={"digest": written.content_digest})


def file_entry(task_id: str, data: bytes) -> FileEntry:
    """Say what an attribution file of a submission holds."""
    return FileEntry(
        task=task_id,
        path=file_name(task_id),
        bytes=len(data),
        sha256=sha256_of_bytes(data),
    )


def code_file(code: bytes) -> CodeFile:
    """Say which code a submission holds."""
    return CodeFile(bytes=len(code), sha256=sha256_of_bytes(code))


def file_name(task_id: str) -> str:
    """Return the attribution file of a task inside a submission."""
    return task_id.replace("/", "-") + ".json"


def array_name(path: str) -> str:
    """Return the file of per-prompt values that belongs to an attribution file."""
    return path.removesuffix(".json") + ARRAYS


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a submission.

    Raises:
        FileFormatError: The file is missing, not strict JSON, or malformed.
    """
    path = folder / MANIFEST
    return Manifest.parse(read_strict_json(path), file=path)
