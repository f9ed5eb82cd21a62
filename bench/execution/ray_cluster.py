"""Units on a Ray cluster.

When and where each runs, and again if a machine is lost, is for Ray to say.
"""

import os
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FrameType
from typing import Any

from bench.errors import MethodFailedError, MissingExtraError, UserError
from bench.evaluation.units import Announce, Done, Unit
from bench.execution.packing import Packed, pack, unpack
from bench.execution.processes import TRIES, ended_unexpectedly, too_long
from bench.execution.worker import use_threads, work


class _TimeUpError(BaseException):
    """Ends a unit; it is no ``Exception``, which many methods catch."""


@dataclass(frozen=True)
class RayExecutor:
    """Does units on the machines of a cluster, each of which sees the same files."""

    address: str | None
    """Of a cluster that is there; None for one on this machine, for this run."""
    workers: int | None
    """Units at once on a cluster on this machine; as many as fit by default."""
    threads: int
    """Of each unit."""
    timeout: float | None = None
    """Seconds for a unit."""

    def run(
        self, units: Sequence[Unit], announce: Announce
    ) -> Generator[tuple[Unit, Done], None, None]:
        """Do all units; what is under way ends with this generator."""
        report = announce("Ray")("methods on tasks")
        report(0, len(units))
        needs = self._needs(units[0].device)  # a run has one device
        with self._connected() as ray:
            self._check_resources(ray, needs)
            # told of GPUs here and not with each unit, Ray ends the process after it:
            # what a process holds of a GPU, and which one, would stay otherwise
            remote = ray.remote(max_retries=TRIES - 1, **needs)(_work)
            waiting = {
                remote.options(name=unit.title).remote(
                    unit, self.threads, self.timeout
                ): unit
                for unit in units
            }
            try:
                for done, outcome in enumerate(_outcomes(ray, waiting), start=1):
                    report(done, len(units))
                    yield outcome
            finally:
                for reference in waiting:
                    ray.cancel(reference, force=True)

    def _needs(self, device: str) -> dict[str, int]:
        """Return what Ray is to give each unit."""
        gpu = device.startswith("cuda")
        return {"num_cpus": self.threads, "num_gpus": int(gpu)}

    @property
    def processors(self) -> int | None:
        """How many a cluster on this machine has; all by default."""
        return None if self.workers is None else self.workers * self.threads

    def _check_resources(self, ray: Any, needs: dict[str, int]) -> None:
        """Refuse what Ray would wait for without end.

        Raises:
            UserError: The cluster has too few processors or no GPU.
        """
        there = ray.cluster_resources()
        needed = {"CPU": needs["num_cpus"], "GPU": needs["num_gpus"]}
        lacking = [
            name for name, number in needed.items() if there.get(name, 0) < number
        ]
        if lacking:
            raise UserError(
                f"Each method on a task needs {needed['CPU']} CPU and {needed['GPU']} "
                f"GPU; the cluster has {there.get('CPU', 0):g} and "
                f"{there.get('GPU', 0):g}. Set OMP_NUM_THREADS lower, or choose "
                "another --device."
            )

    @contextmanager
    def _connected(self) -> Generator[Any, None, None]:
        """Connect to the cluster, or start one on this machine.

        A connection that this process has already is used and left open.

        Raises:
            MissingExtraError: Ray is not installed.
            UserError: There is no cluster at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray: Any = import_module("ray")
        except ImportError:
            raise MissingExtraError("ray", extra="ray") from None
        if ray.is_initialized():
            yield ray
            return
        local = {} if self.address else {"num_cpus": self.processors}
        try:
            ray.init(
                address=self.address or "local",
                include_dashboard=None if self.address else False,
                log_to_driver=False,
                logging_level="ERROR",
                **local,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UserError(_not_connected(self.address, error)) from None
        try:
            yield ray
        finally:
            ray.shutdown()


def _not_connected(address: str | None, error: Exception) -> str:
    """Say why there is no cluster."""
    if address is None:
        return f"Ray could not be started here: {error}. Use --executor process."
    return (
        f"There is no Ray cluster at '{address}': {error}. Start one with 'ray start "
        "--head', or leave --ray-address out to have one here."
    )


def _outcomes(ray: Any, waiting: dict[Any, Unit]) -> Iterator[tuple[Unit, Done]]:
    """Yield outcomes as they arrive, and take them off the waiting ones."""
    while waiting:
        ended, _ = ray.wait(list(waiting))
        for reference in ended:
            unit = waiting.pop(reference)
            yield unit, _outcome(ray, unit, reference)


def _outcome(ray: Any, unit: Unit, reference: Any) -> Done:
    try:
        packed: Packed = ray.get(reference)
    except ray.exceptions.RayError as error:
        return ended_unexpectedly(unit, error)
    return unpack(packed)


def _work(unit: Unit, threads: int, timeout: float | None) -> Packed:
    """Do a unit in a process of the cluster."""
    use_threads(threads)
    try:
        with _time_limit(timeout):
            return work(unit)
    except _TimeUpError:
        return pack(Done(None, (), MethodFailedError(too_long(unit, timeout))))


@contextmanager
def _time_limit(seconds: float | None) -> Generator[None, None, None]:
    """Interrupt what runs for too long, which Ray itself does not.

    Again every second, as a method may catch everything.
    """

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise _TimeUpError

    if seconds is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
