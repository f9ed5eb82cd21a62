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


def choose_executor(wish: Wish) -> "Executor":
    """Return the executor that a user asked for.

    Raises:
        UserError: An option does not go with it.
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
    if wish.ray_address is not None and wish.workers is not None:
        wrong.append("--workers")
    if wrong:
        raise UserError(
            f"{', '.join(wrong)} cannot be used here: --workers goes with --executor "
            "process or a local ray, --timeout with process or ray, --ray-address with "
            "ray."
        )
    if wish.executor == "local":
        from bench.execution.local import LocalExecutor

        return LocalExecutor()
    cores = os.cpu_count() or 1
    threads = int(os.environ.get(THREADS) or max(1, cores // (wish.workers or cores)))
    if wish.executor == "process":
        from bench.execution.processes import ProcessExecutor

        workers = wish.workers or max(1, cores // threads)
        return ProcessExecutor(workers, threads, wish.timeout)
    from bench.execution.ray_cluster import RayExecutor

    return RayExecutor(wish.ray_address, wish.workers, threads, wish.timeout)
