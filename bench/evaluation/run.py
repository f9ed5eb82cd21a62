"""Evaluate methods on tasks: skip what is there, run the rest, store each."""

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
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.evaluate_task import Stage, evaluate_task, method_key
from bench.methods.discovery import FoundMethod
from bench.results.attribution_record import (
    LARGEST_ARRAYS,
    AttributionRecord,
    attribution_files,
    read_attribution,
    task_key,
    write_attribution,
)
from bench.results.provenance import bench_digest
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
    announce: Callable[[str], Stage],
) -> dict[str, list[Outcome]]:
    """Evaluate methods on tasks, task by task, each task's model loaded once.

    A failure on one task does not keep the others from running. A result that is there
    already and was made by the same source, task, seed, device and version is kept.

    Args:
        plans: The methods, and where their results go.
        tasks: The tasks.
        settings: Device and seed.
        announce: Called with the title of each run; returns its progress display.

    Returns:
        Method to its outcomes, in the order of the tasks.

    Raises:
        NoRoomError: A result could not be written.
    """
    outcomes: dict[str, list[Outcome]] = {plan.name: [] for plan in plans}
    for task in tasks:
        opened = OpenedTask(task, device=settings.device, seed=settings.seed)
        for plan in plans:
            path = result_path(plan.out, task.id)
            kept = _reusable(path, plan.found, task, settings)
            outcome = Outcome(task, kept, None, resumed=True)
            if kept is None:
                stage = announce(f"{plan.name} on {task.id}")
                outcome = _run(plan.found, opened, path, stage)
            outcomes[plan.name].append(outcome)
            if _may_be_spoilt(outcome):
                opened = OpenedTask(task, device=settings.device, seed=settings.seed)
    return outcomes


def _may_be_spoilt(outcome: Outcome) -> bool:
    """Whether a run failed, after which its models are not for others to run on."""
    record = outcome.record
    if record is None:
        return True
    reasons = (record.untrained_reason, record.control_reason, record.cost_reason)
    return not outcome.resumed and any(reasons)


def _run(found: FoundMethod, opened: OpenedTask, path: Path, stage: Stage) -> Outcome:
    task = opened.task
    try:
        record = evaluate_task(found, opened, stage=stage)
        _check_size(record)
        write_attribution(path, record)
    except NoRoomError:
        raise
    except RunFailedError as error:
        return Outcome(task, None, error, resumed=False)
    # what was written is what counts, rounding included
    return Outcome(task, read_attribution(path), None, resumed=False)


def _check_size(record: AttributionRecord) -> None:
    """Refuse a result that no submission can hold."""
    data, arrays = attribution_files(record)
    for size, limit in ((len(data), LARGEST_FILE), (len(arrays or ()), LARGEST_ARRAYS)):
        if size > limit:
            raise MethodFailedError(
                f"The result of '{record.method.name}' on '{record.task.id}' has "
                f"{size} bytes; the limit is {limit}. Leave per_prompt out."
            )


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
