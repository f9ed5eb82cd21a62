"""A stored reference: a JSON file to read and a safetensors file to compute with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from bench.errors import DigestError, FileFormatError, ReferencePendingError
from bench.profiles.promptwise import ProfileName, PromptwiseReference
from bench.results.attribution_record import TaskKey, accepted_keys
from bench.results.provenance import Provenance
from bench.results.reference_checks import reference_problems
from bench.results.store import read_arrays
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import Digest, ProtocolName, Task
from bench.tasks.strict_json import read_strict_json

Numbers = tuple[float, ...]

FOLDER = "reference_results"
OWN_FILE = "reference.json"


class Band(FrozenModel):
    """A mean over prompts with the bounds of its 95 % confidence interval."""

    mean: Numbers
    lower: Numbers
    upper: Numbers


class RegimeRecord(FrozenModel):
    """The universal regime: where the response does not change with strength."""

    strengths: Numbers
    """Relative to the source's embedding norm."""
    responses: tuple[Numbers, ...]
    """Mean copy-site response, a row for each strength, a column for each point."""
    exact: Numbers
    """The same in the limit of strength 0."""
    deviations: Numbers
    """Largest relative deviation from the exact response at each strength."""
    lowest: float
    highest: float
    """The window."""
    change: float
    """Largest relative change of any point's response within the window."""
    strength: float
    """Where the reference was measured."""


class GateRecord(FrozenModel):
    """A condition that the reference passed."""

    name: str
    measured: float
    threshold: float
    at_least: bool
    meaning: str
    interval: tuple[float, float] | None = None
    """What 95 % of resampled prompts give, where the gate does not hold this itself."""


class ReferenceRecord(FrozenModel):
    """Everything about a reference that a reader may want to see."""

    schema_version: SchemaVersion = 1
    task: TaskKey
    protocol: ProtocolName
    from_exact: bool
    """Whether the exact linear response was used instead of a finite difference."""
    prompts: int
    regime: RegimeRecord
    signature: Band
    """Induction signature at each residual point."""
    gain: Band
    """Emergence: response added by each section."""
    increment: Numbers
    dilution: Numbers
    additive_share: Numbers
    composition_mean: Numbers
    """Share of the signature lost with each section's write at its mean, unclipped."""
    composition_resample: Numbers
    """The same with the write from another prompt, averaged over two such prompts."""
    logit_drop: Numbers
    """Drop of the target's centred logit under resampling, in nats: the check."""
    previous_path: Numbers
    """Response at the site after the source, at each point, in excess of control sites.
    These lie further from the source, so short-range mixing is not subtracted."""
    match_path: Numbers
    """Response at the source's second occurrence, in excess of both controls."""
    copy_response: Numbers
    control_response: Numbers
    far_control_response: Numbers
    control_prompt_response: Numbers
    """At each point: copy sites, control sites, those of them at least half as far from
    their source as the copy site, copy sites of control prompts."""
    first_loss: float
    second_loss: float
    """Nats per token."""
    reliability: dict[ProfileName, float]
    ceiling: dict[ProfileName, float]
    norm_growth: Numbers
    """Growth of the residual's norm over each section at the copy sites: a null."""
    untrained: dict[ProfileName, Numbers]
    """The same protocol on an untrained model of the same shape: a null."""
    gates: tuple[GateRecord, ...]
    arrays_sha256: Digest
    """Digest of the safetensors file beside this one."""
    wall_s: Annotated[float, Field(ge=0)]
    provenance: Provenance


@dataclass(frozen=True)
class Reference:
    """A stored reference with the arrays behind it."""

    record: ReferenceRecord
    promptwise: PromptwiseReference
    arrays: dict[str, np.ndarray]
    earlier: tuple[TaskKey, ...] = ()
    """Earlier versions of the task whose attributions are scored on it."""


def reference_path(task: Task, *, root: Path) -> Path:
    """Return where the reference of a task is stored.

    A task of the repository has its place there; any other keeps it beside its file.
    """
    if task.folder == (root / "tasks" / task.id).resolve():
        return root / FOLDER / f"{task.id}.json"
    return task.folder / OWN_FILE


def is_measured(task: Task, *, root: Path) -> bool:
    """Whether the reference of a task is stored; else it is pending."""
    return reference_path(task, root=root).is_file()


def read_reference(task: Task, *, root: Path) -> Reference:
    """Read the stored reference of a task.

    Raises:
        ReferencePendingError: It was not measured yet.
        FileFormatError: Its files are malformed, or do not hold together.
        DigestError: It was measured on another version of the task.
    """
    path = reference_path(task, root=root)
    if not path.is_file():
        raise ReferencePendingError(
            f"The reference of '{task.id}' is pending: '{path}' does not exist. "
            f"Measure it with: bench reference compute {_call(task, path)}"
        )
    record = ReferenceRecord.parse(read_strict_json(path), file=path)
    own, *earlier = accepted_keys(task)
    if record.task != own:
        raise DigestError(
            f"'{path}' was measured on version {record.task.version} of '{task.id}' "
            f"(digest {record.task.digest[:12]}); the task is now version "
            f"{task.spec.version} (digest {task.digest[:12]}). Measure it again with: "
            f"bench reference compute {_call(task, path)}"
        )
    arrays = read_arrays(path.with_suffix(".safetensors"), sha256=record.arrays_sha256)
    problems = list(
        reference_problems(
            record, arrays, prompts=record.prompts, n_sections=task.n_sections
        )
    )
    if problems:
        raise FileFormatError(
            f"'{path}' and its arrays do not hold together:\n"
            + "\n".join(problems)
            + f"\nRestore them, or measure again with: bench reference compute "
            f"{_call(task, path)}"
        )
    promptwise = PromptwiseReference.from_arrays(arrays)
    return Reference(record, promptwise, arrays, tuple(earlier))


def _call(task: Task, path: Path) -> str:
    """Name a task as a command takes it."""
    return str(task.file) if path.name == OWN_FILE else task.id
