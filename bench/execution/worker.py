"""What runs in another process: one worker that lives as long as the process."""

from collections.abc import Callable
from functools import cache

import torch

from bench.evaluation.units import Unit, Worker
from bench.execution.packing import Packed, pack


@cache
def _worker() -> Worker:
    return Worker()


def _silent(_name: str) -> Callable[[int, int], None]:
    return lambda _done, _total: None


def use_threads(threads: int) -> None:
    """Let torch use so many threads in this process."""
    torch.set_num_threads(threads)


def work(unit: Unit) -> Packed:
    """Do a unit in this process."""
    return pack(_worker().do(unit, _silent))
