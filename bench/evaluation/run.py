"""Evaluate a method on many tasks: skip what is there, run the rest, store each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import (
    BenchError,
    FileFormatError,
    MethodFailedError,
    NoRoomError,
    RunFailedError,
)
from bench.evaluation.evaluate_task import Stage, evaluate_task, method_key
from bench.methods.discovery import FoundMethod
from bench.results.attribution_record import (
    AttributionRecord,
    read_attribution,
    task_key,
)
from bench.results.provenance import bench_digest
from bench.results.store import to_json, write_atomically
from bench.tasks.spec import Task
from bench.tasks.strict_json import LARGEST_FILE


@dataclass(frozen=True)
class Outcome:
    """What became of one task."""

    task: Task
    record: AttributionRecord | None
    error: BenchError | None
    resumed: bool
    """Whether the result was there already."""


@dataclass(frozen=True)
class Settings:
    """What a result depends on besides method and task."""

    device: str
    seed: int


def result_path(out: Path, task_id: str) -> Path:
    """Return where the attribution of a task is stored in a results folder."""
    return out / f"{task_id}.json"


def run_tasks(
    found: FoundMethod,
    tasks: Sequence[Task],
    settings: Settings,
    *,
    out: Path,
    announce: Callable[[Task], Stage],
) -> list[Outcome]:
    """Evaluate a method on tasks, one after the other.

    A failure on one task does not keep the others from running. A result that is there
    already and was made by the same source, task, seed, device and version is kept.

    Args:
        found: The method.
        tasks: The tasks.
        settings: Device and seed.
        out: Results folder.
        announce: Called before each task; returns its progress display.

    Raises:
        NoRoomError: A result could not be written.
    """
    outcomes: list[Outcome] = []
    for task in tasks:
        path = result_path(out, task.id)
        kept = _reusable(path, found, task, settings)
        if kept is not None:
            outcomes.append(Outcome(task, kept, None, resumed=True))
            continue
        outcomes.append(_run_task(found, task, settings, path, announce(task)))
    return outcomes


def _run_task(
    found: FoundMethod, task: Task, settings: Settings, path: Path, stage: Stage
) -> Outcome:
    try:
        record = evaluate_task(
            found, task, device=settings.device, seed=settings.seed, stage=stage
        )
        data = to_json(record)
        if len(data) > LARGEST_FILE:
            raise MethodFailedError(
                f"The result of '{found.method.name}' on '{task.id}' has {len(data)} "
                f"bytes; the limit is {LARGEST_FILE}. Leave per_prompt out."
            )
        write_atomically(path, data)
    except NoRoomError:
        raise
    except RunFailedError as error:
        return Outcome(task, None, error, resumed=False)
    # what was written is what counts, rounding included
    return Outcome(task, read_attribution(path), None, resumed=False)


def _reusable(
    path: Path, found: FoundMethod, task: Task, settings: Settings
) -> AttributionRecord | None:
    """Return the stored result if running again would give the same; else None."""
    if not path.is_file():
        return None
    try:
        record = read_attribution(path)
    except FileFormatError:
        return None  # a broken file is computed again, never trusted
    same = (
        record.task == task_key(task)
        and record.method == method_key(found)
        and record.provenance.seed == settings.seed
        and _same_device(record.provenance.device, settings.device)
        and record.provenance.bench_sha256 == bench_digest()
    )
    return record if same else None


def _same_device(stored: str, wanted: str) -> bool:
    """Whether a device as torch names it (``cuda:0``) is the wanted one (``cuda``)."""
    return wanted in (stored, stored.partition(":")[0])
