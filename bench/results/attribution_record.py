"""One method on one task: what is stored and what is submitted."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from bench.errors import FileFormatError
from bench.profiles.attribution import Kind, LayerAttribution, as_writes
from bench.results.per_prompt_file import parse_per_prompt, write_per_prompt
from bench.results.provenance import Provenance
from bench.results.store import to_json, write_atomically
from bench.tasks.bounded import read_bounded
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest, Prose, Slug, Task, Text
from bench.tasks.strict_json import read_strict_json

ARRAYS = ".safetensors"
LARGEST_ARRAYS = 2_000_000
"""Bytes of a file of per-prompt values."""
INLINE = 10_000
"""Per-prompt values up to this many stand in the JSON file itself."""

Values = Annotated[tuple[float, ...], Field(min_length=1)]


class TaskKey(FrozenModel):
    """Which task, exactly."""

    id: Text
    version: int
    digest: Digest
    """Over everything in the task file that can move a score."""
    prompts_sha256: Digest
    model_sha256: dict[Text, Digest]
    """File name to digest; empty for a hub model, whose revision is in the digest."""


class MethodKey(FrozenModel):
    """Which method, exactly."""

    name: Slug
    kind: Kind
    origin: Literal["file", "module", "entry-point", "built-in"]
    source: Text
    """File name or ``module:attribute``."""
    source_sha256: Digest
    summary: Text
    oracle: bool = False
    """Whether it repeats the reference's own measurement: shown and not ranked."""


class ArrayFile(FrozenModel):
    """A file that belongs to a record, of the same name with another ending."""

    bytes: Annotated[int, Field(ge=1, le=LARGEST_ARRAYS)]
    sha256: Digest


class AttributionRecord(FrozenModel):
    """What a method answered on a task, and under which circumstances."""

    schema_version: SchemaVersion = 1
    task: TaskKey
    method: MethodKey
    values: Values
    """Attribution of each section, [S]."""
    per_prompt: Annotated[tuple[Values, ...], Field(min_length=1)] | None
    """The same for each discovery prompt, [P, S], where the method gives it."""
    per_prompt_file: ArrayFile | None = None
    """Where they are if they are many: a safetensors file beside this one."""
    untrained: Values | None
    """The same method on an untrained model of the same shape: its own null, [S]."""
    untrained_reason: Prose | None
    """Why there is none."""
    control: Values | None = None
    """The same method on prompts that do not repeat, [S]. Shown, not counted: overlap
    is blind to scale, and a circuit shows at any strength."""
    control_reason: Prose | None = None
    """Why there is none."""
    cost_forward_equivalents: Annotated[float, Field(ge=0)] | None
    cost_reason: Prose | None
    """Why there is none."""
    wall_s: Annotated[float, Field(ge=0)]
    provenance: Provenance

    @model_validator(mode="after")
    def _one_length(self) -> "AttributionRecord":
        lengths = {len(self.values), *(len(row) for row in self.per_prompt or ())}
        others = (self.untrained, self.control)
        lengths |= {len(values) for values in others if values is not None}
        if len(lengths) > 1:
            raise ValueError(
                "values, per_prompt, untrained and control need one number for each "
                f"section; found lengths {sorted(lengths)}"
            )
        return self

    @model_validator(mode="after")
    def _one_place(self) -> "AttributionRecord":
        if self.per_prompt is not None and self.per_prompt_file is not None:
            raise ValueError("per_prompt stands here or in a file of its own, not both")
        return self

    @property
    def raw(self) -> LayerAttribution:
        """The attribution as the method gave it."""
        per_prompt = None if self.per_prompt is None else np.array(self.per_prompt)
        return LayerAttribution(values=np.array(self.values), per_prompt=per_prompt)

    @property
    def writes(self) -> LayerAttribution:
        """The attribution as one of writes, which is what gets scored."""
        return as_writes(self.raw, kind=self.method.kind)

    @property
    def untrained_writes(self) -> LayerAttribution | None:
        """The attribution on the untrained model as one of writes."""
        return self._as_writes(self.untrained)

    @property
    def control_writes(self) -> LayerAttribution | None:
        """The attribution on prompts that do not repeat as one of writes."""
        return self._as_writes(self.control)

    def _as_writes(self, values: Values | None) -> LayerAttribution | None:
        if values is None:
            return None
        raw = LayerAttribution(values=np.array(values))
        return as_writes(raw, kind=self.method.kind)


def task_key(task: Task) -> TaskKey:
    """Return a task's key."""
    return TaskKey(
        id=task.id,
        version=task.spec.version,
        digest=task.digest,
        prompts_sha256=task.spec.prompts.sha256,
        model_sha256=task.spec.model.sha256,
    )


def accepted_keys(task: Task) -> tuple[TaskKey, ...]:
    """Return the keys that an attribution on a task may have: its own comes first."""
    own = task_key(task)
    earlier = [
        own.model_copy(update={"version": entry.version, "digest": entry.digest})
        for entry in task.spec.earlier
    ]
    return (own, *earlier)


def attribution_files(record: AttributionRecord) -> tuple[bytes, bytes | None]:
    """Return the contents of a record's JSON file, and of the one for its prompts."""
    raw = record.raw.per_prompt
    if raw is None or raw.size <= INLINE:
        return to_json(record), None
    arrays = write_per_prompt(raw)
    entry = ArrayFile(bytes=len(arrays), sha256=sha256_of_bytes(arrays))
    outside = {"per_prompt": None, "per_prompt_file": entry}
    return to_json(record.model_copy(update=outside)), arrays


def write_attribution(path: Path, record: AttributionRecord) -> None:
    """Store an attribution; its record comes last, since it has the arrays' digest.

    Raises:
        NoRoomError: A file could not be written.
    """
    data, arrays = attribution_files(record)
    beside = path.with_suffix(ARRAYS)
    if arrays is not None:
        write_atomically(beside, arrays)
    write_atomically(path, data)
    if arrays is None:
        with suppress(FileNotFoundError):
            beside.unlink()


def with_arrays(
    record: AttributionRecord, arrays: bytes, *, file: str
) -> AttributionRecord:
    """Return the record with its per-prompt values in it.

    Raises:
        FileFormatError: The file is not the recorded one, or not what it should be.
    """
    entry = record.per_prompt_file
    found = ArrayFile(bytes=len(arrays), sha256=sha256_of_bytes(arrays))
    if found != entry:
        raise FileFormatError(
            f"'{file}' differs from what its record says: "
            f"{found.bytes} bytes, SHA-256 {found.sha256[:12]}..."
        )
    values = parse_per_prompt(arrays, file=file)
    if values.shape[1] != len(record.values):
        raise FileFormatError(
            f"'{file}' has {values.shape[1]} sections; values has {len(record.values)}."
        )
    rows = tuple(tuple(float(value) for value in row) for row in values)
    return record.model_copy(update={"per_prompt": rows, "per_prompt_file": None})


def read_attribution(path: Path) -> AttributionRecord:
    """Read a stored attribution, with its per-prompt values wherever they are.

    Raises:
        FileFormatError: A file is missing, altered, not strict JSON, or malformed.
    """
    record = AttributionRecord.parse(read_strict_json(path), file=path)
    if record.per_prompt_file is None:
        return record
    beside = path.with_suffix(ARRAYS)
    arrays = read_bounded(beside, limit=LARGEST_ARRAYS)
    try:
        return with_arrays(record, arrays, file=str(beside))
    except FileFormatError as error:
        raise FileFormatError(
            f"{error} Both are written by one run, which may have been interrupted: "
            "run the same bench evaluate again."
        ) from None
