"""One method on one task: what is stored and what is submitted."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from bench.profiles.attribution import Kind, LayerAttribution, as_writes
from bench.results.provenance import Provenance
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest, Slug, Task
from bench.tasks.strict_json import read_strict_json

Values = Annotated[tuple[float, ...], Field(min_length=1)]


class TaskKey(FrozenModel):
    """Which task, exactly."""

    id: str
    version: int
    digest: Digest
    """Over everything in the task file that can move a score."""
    prompts_sha256: Digest
    model_sha256: dict[str, Digest]
    """File name to digest; empty for a hub model, whose revision is in the digest."""


class MethodKey(FrozenModel):
    """Which method, exactly."""

    name: Slug
    kind: Kind
    origin: Literal["file", "module", "entry-point", "built-in"]
    source: str
    """File name or ``module:attribute``."""
    source_sha256: Digest
    summary: str
    oracle: bool = False
    """Whether it repeats the reference's own measurement: shown and not ranked."""


class AttributionRecord(FrozenModel):
    """What a method answered on a task, and under which circumstances."""

    schema_version: SchemaVersion = 1
    task: TaskKey
    method: MethodKey
    values: Values
    """Attribution of each section, [S]."""
    per_prompt: Annotated[tuple[Values, ...], Field(min_length=1)] | None
    """The same for each discovery prompt, [P, S], where the method gives it."""
    untrained: Values | None
    """The same method on an untrained model of the same shape: its own null, [S]."""
    untrained_reason: str | None
    """Why there is none."""
    control: Values | None = None
    """The same method on prompts that do not repeat, [S]. Shown, not counted: overlap
    is blind to scale, and a circuit shows at any strength."""
    control_reason: str | None = None
    """Why there is none."""
    cost_forward_equivalents: Annotated[float, Field(ge=0)] | None
    cost_reason: str | None
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


def read_attribution(path: Path) -> AttributionRecord:
    """Read a stored attribution.

    Raises:
        FileFormatError: The file is missing, not strict JSON, or malformed.
    """
    return AttributionRecord.parse(read_strict_json(path), file=path)
