"""Measure, store and verify references."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import UserError
from bench.evaluation.reference_summary import reference_arrays, summarise
from bench.models.loading import load_model, untrained_like
from bench.perturbation.gates import gates, refuse_unless_passed
from bench.perturbation.layout import Progress
from bench.perturbation.protocol import SEED, Remember, measure, measure_null
from bench.perturbation.stages import Arrays
from bench.results.provenance import bench_digest
from bench.results.reference_record import (
    Reference,
    ReferenceRecord,
)
from bench.results.store import (
    arrays_to_bytes,
    parse_arrays,
    read_arrays,
    to_json,
    write_atomically,
)
from bench.tasks.digest import sha256_of_bytes, sha256_of_record
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
    stages: Path
    """Where its finished stages are kept."""


def compute_reference(
    task: Task, *, device: str, exact: bool, stages: Path, stage: Stage
) -> StoredReference:
    """Measure the reference of a task.

    Args:
        task: The task.
        device: Where to run the model.
        exact: Use the exact linear response as the response.
        stages: Folder in which finished stages are kept until the reference is written.
        stage: Announces a stage and returns its progress callback.

    Raises:
        ReferenceRefusedError: A gate failed.
        UserError: The task's files, model or device cannot be used.
    """
    started = time.perf_counter()
    model = load_model(task, device=device)
    prompts = task.read_prompts("reference")
    if len(prompts) < FEWEST_PROMPTS:
        raise UserError(
            f"'{task.id}' has {len(prompts)} reference prompts; the means that replace "
            f"a section's write need at least {FEWEST_PROMPTS}. Draw more."
        )
    memory = stages / _stage_key(task, device=device, exact=exact)
    remember = stage_memory(memory, stage)
    measurement = measure(model, prompts, exact=exact, remember=remember)
    refuse_unless_passed(gates(measurement), task=task.id)
    null = measure_null(
        untrained_like(model, seed=UNTRAINED_SEED),
        prompts,
        strength=None if exact else measurement.regime.strength,
        remember=remember,
    )
    arrays = arrays_to_bytes(reference_arrays(measurement))
    record = summarise(
        task,
        measurement,
        null=null,
        arrays_sha256=sha256_of_bytes(arrays),
        model=model,
        wall_s=time.perf_counter() - started,
    )
    return StoredReference(record, arrays, memory)


def _stage_key(task: Task, *, device: str, exact: bool) -> str:
    facts = [task.digest, PROTOCOL, SEED, device, exact, bench_digest()]
    return f"{task.spec.family}-{task.spec.name}-{sha256_of_record(facts)[:12]}"


def stage_memory(folder: Path, stage: Stage) -> Remember:
    """Keep each finished stage in a folder, so that the same command continues."""

    def remember(name: str, compute: Callable[[Progress], Arrays]) -> Arrays:
        path = folder / f"{name}.safetensors"
        progress = stage(name)
        if path.is_file():
            progress(1, 1)
            return read_arrays(path)
        arrays = compute(progress)
        write_atomically(path, arrays_to_bytes(arrays))
        return arrays

    return remember


def write_reference(stored: StoredReference, path: Path) -> None:
    """Write a reference, the arrays before the record that names their digest.

    Raises:
        NoRoomError: A file could not be written.
    """
    write_atomically(path.with_suffix(".safetensors"), stored.arrays)
    write_atomically(path, to_json(stored.record))
    shutil.rmtree(stored.stages, ignore_errors=True)


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
