"""Units of work: one method on one task, told in plain strings and numbers.

A unit can be done in this process, in another one, or on another machine that sees the
same files.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.cache.cache import Cache
from bench.cache.entry import Entry
from bench.errors import BenchError, MethodFailedError, RunFailedError, UserError
from bench.evaluation.contexts import OpenedTask
from bench.evaluation.evaluate_task import Stage, evaluate_task
from bench.evaluation.keys import code_digest
from bench.evaluation.parts import Parts
from bench.methods.discovery import FoundMethod, find_method
from bench.results.attribution_record import (
    LARGEST_ARRAYS,
    AttributionRecord,
    attribution_files,
)
from bench.results.provenance import DType
from bench.tasks.spec import read_task
from bench.tasks.strict_json import LARGEST_FILE


@dataclass(frozen=True)
class Unit:
    """One method on one task."""

    method: str
    """By what :func:`~bench.methods.discovery.find_method` finds it."""
    method_sha256: str
    """Digest of the method's code that is meant: it may change while units wait."""
    code: str
    """Digest of the parts of this package that compute, where the run began."""
    task: str
    """Path of the task file."""
    device: str
    seed: int
    dtype: DType
    cache: str
    """Folder of the cache."""
    title: str
    """What people call it."""


@dataclass(frozen=True)
class Done:
    """What became of a unit."""

    record: AttributionRecord | None
    made: tuple[Entry, ...]
    """What was computed on the way, in case the unit ran far from this cache."""
    error: BenchError | None
    """Why there is no record."""


Announce = Callable[[str], Stage]
"""Announces a unit, by what people call it; returns what announces its stages."""


@runtime_checkable
class Executor(Protocol):
    """Does units, somewhere."""

    def run(
        self, units: Sequence[Unit], announce: Announce
    ) -> Generator[tuple[Unit, Done], None, None]:
        """Do all units and yield each when it is done, in any order."""
        ...


@dataclass
class Worker:
    """Does units one after the other, and keeps a task open for those on it."""

    opened: dict[tuple[str, str, int, DType], OpenedTask] = field(default_factory=dict)
    methods: dict[str, FoundMethod] = field(default_factory=dict)

    def do(self, unit: Unit, stage: Stage) -> Done:
        """Do a unit.

        What went wrong on purpose comes back in the outcome. A user's error ends the
        run, whoever does it.
        """
        parts: Parts | None = None
        try:
            found = self._find(unit)
            parts = Parts(found, self._open(unit), Cache(Path(unit.cache)))
            record = evaluate_task(parts, stage=stage)
            _check_size(record)
        except BenchError as error:
            return Done(None, () if parts is None else tuple(parts.made), error)
        return Done(record, tuple(parts.made), None)

    def _open(self, unit: Unit) -> OpenedTask:
        """Return the unit's task; only the last one's model stays in memory."""
        place = (unit.task, unit.device, unit.seed, unit.dtype)
        if place not in self.opened:
            self.opened.clear()
            task = read_task(Path(unit.task))
            self.opened[place] = OpenedTask(task, *place[1:])
        return self.opened[place]

    def _find(self, unit: Unit) -> FoundMethod:
        """Return the unit's method, loaded once.

        Raises:
            MethodFailedError: Its code is not what it was when the run began.
            UserError: That of this package is not.
        """
        if code_digest() != unit.code:
            raise UserError(
                "The code of this package was changed while the run went on, or is "
                "another one on another machine. Run the same command again, with the "
                "same version everywhere."
            )
        found = self.methods.get(unit.method) or find_method(unit.method)
        self.methods[unit.method] = found
        if found.code_sha256 != unit.method_sha256:
            raise MethodFailedError(
                f"'{found.source}' was changed while the run went on. Run the same "
                "command again."
            )
        return found


def _check_size(record: AttributionRecord) -> None:
    """Refuse a result that no submission can hold.

    Raises:
        RunFailedError: It is too large.
    """
    data, arrays = attribution_files(record)
    for size, limit in ((len(data), LARGEST_FILE), (len(arrays or ()), LARGEST_ARRAYS)):
        if size > limit:
            raise RunFailedError(
                f"The result of '{record.method.name}' on '{record.task.id}' has "
                f"{size} bytes; the limit is {limit}. Leave per_prompt out."
            )
