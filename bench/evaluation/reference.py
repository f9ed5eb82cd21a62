"""Measure, store and verify references."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.cache.cache import Cache
from bench.cache.entry import Entry, Key, make_entry
from bench.errors import UserError
from bench.evaluation.keys import computation_key, model_provenance
from bench.evaluation.reference_summary import reference_arrays, summarise
from bench.models.loading import load_model, untrained_like
from bench.models.modes import usual_modes
from bench.models.subject import SubjectModel
from bench.perturbation.gates import gates, refuse_unless_passed
from bench.perturbation.layout import Progress
from bench.perturbation.protocol import (
    SEED,
    STRENGTHS_STAGE,
    measure,
    measure_null,
)
from bench.perturbation.stages import Arrays
from bench.results.reference_record import (
    Reference,
    ReferenceRecord,
)
from bench.results.store import (
    arrays_to_bytes,
    parse_arrays,
    to_json,
    write_atomically,
)
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.spec import PROTOCOL, Task

UNTRAINED_SEED = 0
FEWEST_PROMPTS = 17
"""A write is replaced by its mean over at least 16 other prompts."""
TOLERANCE = 1e-2
"""How far a repeated measurement may lie from the stored one, relative to the largest
value of the profile: other processors and versions round differently."""

Stage = Callable[[str], Progress]


@dataclass(frozen=True)
class StoredReference:
    """A reference's two files, not yet written."""

    record: ReferenceRecord
    arrays: bytes


def compute_reference(
    task: Task, *, device: str, exact: bool, cache: Cache, stage: Stage
) -> StoredReference:
    """Measure the reference of a task.

    Args:
        task: The task.
        device: Where to run the model.
        exact: Use the exact linear response as the response.
        cache: Where finished stages are kept.
        stage: Announces a stage and returns its progress callback.

    Raises:
        ReferenceRefusedError: A gate failed.
        UserError: The task's files, model or device cannot be used.
    """
    model = load_model(task, device=device)
    prompts = task.read_prompts("reference")
    if len(prompts) < FEWEST_PROMPTS:
        raise UserError(
            f"'{task.id}' has {len(prompts)} reference prompts; the means that replace "
            f"a section's write need at least {FEWEST_PROMPTS}. Draw more."
        )
    stages = Stages(task, model, device=device, exact=exact, cache=cache, stage=stage)
    measurement = measure(model, prompts, exact=exact, remember=stages)
    refuse_unless_passed(gates(measurement), task=task.id)
    null = measure_null(
        untrained_like(model, seed=UNTRAINED_SEED),
        prompts,
        strength=None if exact else measurement.regime.strength,
        remember=stages,
    )
    arrays = arrays_to_bytes(reference_arrays(measurement))
    record = summarise(
        task,
        measurement,
        null=null,
        arrays_sha256=sha256_of_bytes(arrays),
        model=model,
        wall_s=stages.wall_s,
    )
    return StoredReference(record, arrays)


@dataclass
class Stages:
    """Measures the stages of a reference, or takes them from the cache."""

    task: Task
    model: SubjectModel
    device: str
    exact: bool
    cache: Cache
    stage: Stage
    """Announces a stage and returns its progress callback."""
    wall_s: float = 0.0
    """How long the stages took, whenever that was."""
    regime: str | None = None
    """Digest of the sweep over strengths, which later stages take theirs from."""

    def __call__(self, name: str, compute: Callable[[Progress], Arrays]) -> Arrays:
        """Return a stage's arrays, measured if they are not there.

        Raises:
            NoRoomError: They could not be kept.
        """
        progress = self.stage(name)
        key = computation_key(
            f"reference {name}",
            self.task,
            device=self.device,
            seed=SEED,
            settings={
                "protocol": PROTOCOL,
                "exact": self.exact,
                "regime": self.regime,
            },
        )
        entry = self.cache.find(key)
        if entry is None:
            entry = self._measured(key, lambda: compute(progress))
        progress(1, 1)
        self.wall_s += entry.header.wall_s
        if name == STRENGTHS_STAGE:
            self.regime = sha256_of_bytes(entry.payload)
        return parse_arrays(entry.payload)

    def _measured(self, key: Key, compute: Callable[[], Arrays]) -> Entry:
        started = time.perf_counter()
        with usual_modes():
            arrays = arrays_to_bytes(compute())
        entry = make_entry(
            key,
            arrays,
            wall_s=time.perf_counter() - started,
            provenance=model_provenance(self.model, seed=SEED),
        )
        self.cache.add(entry)
        return entry


def write_reference(stored: StoredReference, path: Path) -> None:
    """Write a reference, the arrays before the record that names their digest.

    Raises:
        NoRoomError: A file could not be written.
    """
    write_atomically(path.with_suffix(".safetensors"), stored.arrays)
    write_atomically(path, to_json(stored.record))


def compare_references(stored: Reference, again: StoredReference) -> list[str]:
    """Say where a repeated measurement differs from the stored one beyond tolerance."""
    old, new = _comparable(stored.record), _comparable(again.record)
    old |= stored.arrays
    new |= parse_arrays(again.arrays)
    problems: list[str] = []
    for name in old:
        allowed = TOLERANCE * np.abs(old[name]).max()
        distance = np.abs(old[name] - new[name]).max()
        if not distance <= allowed:
            problems.append(
                f"{name}: differs by up to {distance:.3g}, allowed {allowed:.3g}"
            )
    return problems


def _comparable(record: ReferenceRecord) -> Arrays:
    """Collect what scores are computed with beside the arrays."""
    names = ("emergence", "composition")
    return {
        "norm_growth": np.array(record.norm_growth),
        "logit_drop": np.array(record.logit_drop),
        "ceiling": np.array([record.ceiling[name] for name in names]),
    }
