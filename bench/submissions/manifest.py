"""The manifest of a submission: ``submissions/<method>/submission.json``."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from bench.profiles.promptwise import ProfileName
from bench.results.attribution_record import MethodKey
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest
from bench.tasks.strict_json import read_strict_json

MANIFEST = "submission.json"
README = "README.md"
FOLDER = "submissions"
LONGEST_REASON = 200

Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class SuiteKey(FrozenModel):
    """Which suite, exactly."""

    name: str
    version: str


class FileEntry(FrozenModel):
    """One attribution file of the submission."""

    task: str
    path: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*\.json$", max_length=120)]
    """File name inside the submission's folder."""
    bytes: Annotated[int, Field(ge=1)]
    sha256: Digest


class Manifest(FrozenModel):
    """What a submission says of itself."""

    schema_version: SchemaVersion = 1
    method: MethodKey
    suite: SuiteKey
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]
    incomplete: Reason | None = None
    """Why tasks of the suite are missing; None if none is. Shown, and not ranked."""
    claimed_overlap: dict[str, dict[ProfileName, float | None]]
    """Task to profile to the overlap that ``bench evaluate`` printed; None where it is
    undefined. Validation computes it anew and never believes it."""
    bench: str
    """Version of ``bench`` that packed the submission."""


def file_entry(task_id: str, data: bytes) -> FileEntry:
    """Say what an attribution file of a submission holds."""
    return FileEntry(
        task=task_id,
        path=file_name(task_id),
        bytes=len(data),
        sha256=sha256_of_bytes(data),
    )


def file_name(task_id: str) -> str:
    """Return the attribution file of a task inside a submission."""
    return task_id.replace("/", "-") + ".json"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a submission.

    Raises:
        FileFormatError: The file is missing, not strict JSON, or malformed.
    """
    path = folder / MANIFEST
    return Manifest.parse(read_strict_json(path), file=path)
