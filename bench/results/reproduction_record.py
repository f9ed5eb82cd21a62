"""What became of running a submission's method again, on circuits it could not know."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.provenance import Provenance
from bench.scores.across_tasks import student_interval
from bench.scores.score import Score, undefined
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import TEXT, Digest, Slug
from bench.tasks.strict_json import read_strict_json

FOLDER = "reproductions"
"""Below ``records``; one file a method."""
LONGEST_REASON = 500

Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Reason = Annotated[str, Field(pattern=TEXT, min_length=1, max_length=LONGEST_REASON)]
Verdict = Literal["reproduced", "refused"]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]

IsolationKind = Literal["runner", "namespaces", "network", "process"]
"""``runner``: as a given program does it. ``namespaces``: own file system, no network,
own processes. ``network``: no network, own processes. ``process``: limits alone."""


class Isolation(FrozenModel):
    """What kept the method from everything but its circuits."""

    kind: IsolationKind
    timeout_s: float
    memory_gb: float


class Agreement(FrozenModel):
    """How far an answer lies from the claimed one."""

    difference: Annotated[float, Field(ge=0.0)] | None
    """Largest difference, relative to the largest claimed value; None without both."""
    tolerance: Annotated[float, Field(gt=0.0)]

    @property
    def holds(self) -> bool:
        """Whether it is close enough."""
        return self.difference is not None and self.difference <= self.tolerance


class TaskAgreement(FrozenModel):
    """Agreement of all that is claimed on a task."""

    values: Agreement
    per_prompt: Agreement | None
    """None where none is claimed."""
    untrained: Agreement | None
    """The method's own null; None where it has none, then and now."""

    @property
    def holds(self) -> bool:
        """Whether all of it is close enough."""
        parts = (self.values, self.per_prompt, self.untrained)
        return all(part.holds for part in parts if part is not None)


class CircuitGrade(FrozenModel):
    """How well the method found a planted circuit."""

    task: str | None
    """The public task; None for a fresh circuit."""
    architecture: str
    blocks: Annotated[int, Field(ge=1)]
    redundant: bool
    overlap: dict[ProfileName, Probability | None]
    """None where it is undefined, and where there was no answer."""
    skill: dict[ProfileName, Annotated[float, Field(ge=-1.0, le=1.0)] | None]

    @property
    def mean_skill(self) -> float | None:
        """The mean of both profiles; None if one is undefined."""
        values = [self.skill.get(name) for name in PROFILES]
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if len(known) == len(PROFILES) else None

    @property
    def mean_overlap(self) -> float:
        """The mean of both profiles; an undefined one finds nothing."""
        return float(np.mean([self.overlap.get(name) or 0.0 for name in PROFILES]))


class DisguiseGrade(FrozenModel):
    """How well the method found the circuit of a trained model that looks different."""

    task: str
    plain: Probability
    """Mean overlap with both profiles on the public model."""
    disguised: Probability
    """The same on one that computes the same, with blocks added and tokens renamed."""
    allowed: float
    """Drop that is not held against a method."""

    @property
    def holds(self) -> bool:
        """Whether nothing is held against the method."""
        return self.plain - self.disguised <= self.allowed


class Gate(FrozenModel):
    """Whether fresh circuits were found as well as public ones."""

    drop: float
    """Mean overlap on public circuits less that on fresh ones of the same shapes."""
    allowed: float
    """What is not held against a method."""
    p: Probability
    """How often circuits drawn alike would drop as much or more."""
    level: Probability

    @property
    def holds(self) -> bool:
        """Whether nothing is held against the method."""
        return self.drop <= self.allowed or self.p > self.level


class ReproductionRecord(FrozenModel):
    """The verdict on a submission, and all that it rests on."""

    schema_version: SchemaVersion = 1
    method: Slug
    digest: Digest
    """The submission's."""
    commit: Commit
    """What the fresh circuits derive from, together with the digest."""
    verdict: Verdict
    reasons: tuple[Reason, ...]
    """Why it was refused; empty otherwise."""
    agreement: dict[str, TaskAgreement]
    public: tuple[CircuitGrade, ...]
    fresh: tuple[CircuitGrade, ...]
    disguised: tuple[DisguiseGrade, ...] = ()
    """Tasks with a trained model, where both answers are usable."""
    gate: Gate | None
    """None if the answers do not allow to tell."""
    isolation: Isolation
    wall_s: Annotated[float, Field(ge=0)]
    """Wall time of the child."""
    provenance: Provenance

    @property
    def fresh_skill(self) -> Score:
        """Mean skill on fresh circuits, both profiles alike."""
        return mean_skill(self.fresh)

    @property
    def fresh_interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean, over circuits; None if undefined."""
        values = _skills(self.fresh)
        return None if values is None else student_interval([np.array(values)])


def mean_skill(circuits: Sequence[CircuitGrade]) -> Score:
    """Average the skill over circuits; undefined if it is on one of them."""
    values = _skills(circuits)
    if not values:
        return undefined("no skill on one of the circuits, or no circuits")
    return Score(float(np.mean(values)))


def _skills(circuits: Sequence[CircuitGrade]) -> list[float] | None:
    values = [circuit.mean_skill for circuit in circuits]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def reproduction_path(root: Path, method: str) -> Path:
    """Return where a method's record is stored in a repository."""
    return root / "records" / FOLDER / f"{method}.json"


def read_reproduction(path: Path) -> ReproductionRecord:
    """Read a stored record.

    Raises:
        FileFormatError: The file is missing, not strict JSON, or malformed.
    """
    return ReproductionRecord.parse(read_strict_json(path), file=path)


def find_reproduction(
    root: Path, method: str, digest: str
) -> ReproductionRecord | None:
    """Read what became of running this very state of a submission, if it was run.

    Raises:
        FileFormatError: The method's record is not strict JSON, or malformed.
    """
    path = reproduction_path(root, method)
    if not path.is_file():
        return None
    record = read_reproduction(path)
    return record if record.digest == digest else None
