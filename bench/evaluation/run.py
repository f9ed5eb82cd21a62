"""Evaluate methods on tasks: take what is kept, have the rest done, store each."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.cache.cache import Cache
from bench.errors import BenchError, NoRoomError, RunFailedError
from bench.evaluation.contexts import OpenedTask, Progress
from bench.evaluation.keys import code_digest
from bench.evaluation.parts import Parts
from bench.evaluation.units import Announce, Done, Executor, Unit, Worker
from bench.methods.discovery import FoundMethod
from bench.results.attribution_record import (
    AttributionRecord,
    read_attribution,
    write_attribution,
)
from bench.results.provenance import FLOAT32, DType
from bench.tasks.spec import Task


@dataclass(frozen=True)
class Outcome:
    """What became of one task."""

    task: Task
    record: AttributionRecord | None
    error: BenchError | None
    resumed: bool
    """Whether everything was there already."""


@dataclass(frozen=True)
class Settings:
    """What a result depends on besides method and task, and where it is kept."""

    device: str
    seed: int
    cache: Cache
    dtype: DType = FLOAT32


@dataclass(frozen=True)
class Plan:
    """A method to run, and the folder for its results."""

    found: FoundMethod
    out: Path

    @property
    def name(self) -> str:
        """The method's name."""
        return self.found.method.name


def result_path(out: Path, task_id: str) -> Path:
    """Return where the attribution of a task is stored in a results folder."""
    return out / f"{task_id}.json"


def run_methods(
    plans: Sequence[Plan],
    tasks: Sequence[Task],
    settings: Settings,
    *,
    executor: Executor,
    announce: Announce,
) -> dict[str, list[Outcome]]:
    """Evaluate methods on tasks, task by task, each task's model loaded once.

    A failure on one task does not keep the others from running. What is in the cache is
    not computed again.

    Args:
        plans: The methods, and where their results go.
        tasks: The tasks.
        settings: Device, seed and cache.
        executor: Where methods run.
        announce: Called with the title of each run; returns its progress display.

    Returns:
        Method to its outcomes, in the order of the tasks.

    Raises:
        UserError: A task's files, its model or the device cannot be used.
        NoRoomError: A result could not be written.
    """
    jobs = {_unit(p, t, settings): (p, t) for t in tasks for p in plans}
    outcomes: dict[tuple[str, str], Outcome] = {}
    with closing(_all_done(jobs, settings, executor, announce)) as found:
        for unit, done, resumed in found:
            plan, task = jobs[unit]
            outcomes[plan.name, task.id] = _stored(plan, task, done, resumed=resumed)
    return {p.name: [outcomes[p.name, task.id] for task in tasks] for p in plans}


def _unit(plan: Plan, task: Task, settings: Settings) -> Unit:
    return Unit(
        method=plan.found.called,
        method_sha256=plan.found.code_sha256,
        code=code_digest(),
        task=str(task.file.resolve()),
        device=settings.device,
        seed=settings.seed,
        dtype=settings.dtype,
        cache=str(settings.cache.folder.resolve()),
        title=f"{plan.name} on {task.id}",
    )


def _all_done(
    jobs: dict[Unit, tuple[Plan, Task]],
    settings: Settings,
    executor: Executor,
    announce: Announce,
) -> Generator[tuple[Unit, Done, bool], None, None]:
    """Take units from the cache where all their parts are there; do the others."""
    missing: list[Unit] = []
    reader = Worker(
        methods={plan.found.called: plan.found for plan, _ in jobs.values()}
    )
    for unit, (plan, task) in jobs.items():
        opened = OpenedTask(task, settings.device, settings.seed, settings.dtype)
        kept = Parts(plan.found, opened, settings.cache).kept
        done = reader.do(unit, _not_there) if kept else None
        if done is None or done.record is None:
            missing.append(unit)
        else:
            yield unit, done, True
    if not missing:
        return
    with closing(executor.run(missing, announce)) as outcomes:
        for unit, done in outcomes:
            for entry in done.made:  # of a worker that has another cache
                if settings.cache.find(entry.key) is None:
                    settings.cache.add(entry)
            yield unit, done, False


def _not_there(name: str) -> Progress:
    raise RunFailedError(f"'{name}' was in the cache a moment ago.")


def _stored(plan: Plan, task: Task, done: Done, *, resumed: bool) -> Outcome:
    """Write a result; what was written is what counts, rounding included.

    Raises:
        BenchError: What no other task would do better at.
    """
    if done.record is None:
        error = done.error
        if isinstance(error, RunFailedError) and not isinstance(error, NoRoomError):
            return Outcome(task, None, error, resumed=False)
        raise error or AssertionError("A unit ended without a record or an error.")
    path = result_path(plan.out, task.id)
    write_attribution(path, done.record)
    return Outcome(task, read_attribution(path), None, resumed=resumed)
