"""Choose where methods run."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.evaluation.units import Executor

Name = Literal["local", "process", "ray"]
THREADS = "OMP_NUM_THREADS"
"""Environment variable by which people say how many threads a process may use."""


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    executor: Name = "local"
    workers: int | None = None
    timeout: float | None = None
    ray_address: str | None = None


def choose_executor(wish: Wish, *, device: str = "cpu") -> "Executor":
    """Return the executor that a user asked for.

    Raises:
        UserError: An option does not go with it.
    """
    _check(wish, device)
    if wish.executor == "local":
        from bench.execution.local import LocalExecutor

        return LocalExecutor()
    if wish.executor == "process":
        from bench.execution.processes import ProcessExecutor

        workers = wish.workers or _processes(device)
        return ProcessExecutor(workers, _share(workers), wish.timeout)
    from bench.execution.ray_cluster import RayExecutor

    threads = _share(wish.workers or _cores())
    return RayExecutor(wish.ray_address, wish.workers, threads, wish.timeout)


def _check(wish: Wish, device: str) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: Some do not.
    """
    given = {
        "--workers": wish.workers,
        "--timeout": wish.timeout,
        "--ray-address": wish.ray_address,
    }
    foreign = {
        "local": ("--workers", "--timeout", "--ray-address"),
        "process": ("--ray-address",),
        "ray": (),
    }
    wrong = [name for name in foreign[wish.executor] if given[name] is not None]
    if wish.executor == "ray" and None not in (wish.ray_address, wish.workers):
        wrong.append("--workers")
    if wrong:
        raise UserError(
            f"{', '.join(wrong)} cannot be used here: --workers goes with --executor "
            "process or a local ray, --timeout with process or ray, --ray-address with "
            "ray."
        )
    if wish.executor == "ray" and device not in ("cpu", "cuda"):
        raise UserError(
            f"--device {device} cannot be used with --executor ray, which chooses the "
            "GPU of each method on a task. Use --device cuda."
        )


def _processes(device: str) -> int:
    """Return how many processes a device is for: as many as cores, or one for a GPU."""
    if device.partition(":")[0] != "cpu":
        return 1
    return max(1, _cores() // (_threads() or 1))


def _share(workers: int) -> int:
    """Return the threads of each of so many processes."""
    return _threads() or max(1, _cores() // workers)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _threads() -> int | None:
    """Return the threads that the environment asks for.

    Raises:
        UserError: It asks for something else than a number of them.
    """
    wanted = os.environ.get(THREADS)
    if not wanted:
        return None
    if not wanted.isdecimal() or int(wanted) == 0:
        raise UserError(
            f"{THREADS} is '{wanted}'; expected a number of threads, such as 1."
        )
    return int(wanted)
