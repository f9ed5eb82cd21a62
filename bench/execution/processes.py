"""Units in several processes of this machine."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext

from pebble import ProcessExpired, ProcessPool

from bench.errors import MethodFailedError, RunFailedError
from bench.evaluation.units import Announce, Done, Unit
from bench.execution.packing import Packed, unpack
from bench.execution.worker import use_threads, work

TRIES = 3
"""How often a unit is begun whose process dies under it."""


@dataclass(frozen=True)
class ProcessExecutor:
    """Does units in processes of their own, so many at a time."""

    workers: int
    threads: int
    """Of each process."""
    timeout: float | None = None
    """Seconds for a unit."""

    def run(
        self, units: Sequence[Unit], announce: Announce
    ) -> Generator[tuple[Unit, Done], None, None]:
        """Do all units; what is under way ends with this generator."""
        report = announce(f"{self.workers} processes")("methods on tasks")
        report(0, len(units))
        pool = ProcessPool(
            max_workers=self.workers,
            initializer=use_threads,
            initargs=[self.threads],
            context=_context(),
        )
        try:
            for done, outcome in enumerate(self._outcomes(pool, units), start=1):
                report(done, len(units))
                yield outcome
        finally:
            pool.stop()
            pool.join()

    def _outcomes(
        self, pool: ProcessPool, units: Sequence[Unit]
    ) -> Iterator[tuple[Unit, Done]]:
        begun = dict.fromkeys(units, 1)
        waiting = {self._begin(pool, unit): unit for unit in units}
        while waiting:
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                unit = waiting.pop(future)
                died = isinstance(future.exception(), ProcessExpired)
                if died and begun[unit] < TRIES:
                    begun[unit] += 1
                    waiting[self._begin(pool, unit)] = unit
                else:
                    yield unit, self._outcome(unit, future)

    def _begin(self, pool: ProcessPool, unit: Unit) -> Future[Packed]:
        return pool.schedule(work, args=[unit], timeout=self.timeout)

    def _outcome(self, unit: Unit, future: Future[Packed]) -> Done:
        try:
            return unpack(future.result())
        except TookTooLong as error:
            if self.timeout is None:  # the unit's own
                return ended_unexpectedly(unit, error)
            return Done(None, (), MethodFailedError(too_long(unit, self.timeout)))
        except ProcessExpired as error:
            return Done(None, (), RunFailedError(_died(unit, error)))
        except Exception as error:
            return ended_unexpectedly(unit, error)


def _context() -> BaseContext:
    """Return how processes begin: not as forks of this one, whose threads would hang.

    Where it can be had they are forks of a server that has imported torch once and runs
    nothing.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    return context


def too_long(unit: Unit, timeout: float | None) -> str:
    """Say that a unit was stopped."""
    return (
        f"{unit.title} took longer than {timeout:g} s and was stopped. Give it more "
        "with --timeout; what is finished is kept."
    )


def _died(unit: Unit, error: ProcessExpired) -> str:
    return (
        f"The process of {unit.title} died {TRIES} times ({error}). If memory ran out, "
        "use fewer --workers."
    )


def ended_unexpectedly(unit: Unit, error: BaseException) -> Done:
    """Return the outcome of a unit whose worker met what nobody foresaw.

    The others go on.
    """
    reason = " ".join(str(error).split()) or type(error).__name__
    message = f"{unit.title} ended unexpectedly, {TRIES} tries at most: {reason}"
    return Done(None, (), RunFailedError(message))
