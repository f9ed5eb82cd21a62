"""Take wall and CPU time of some work."""

import statistics
import time
from collections.abc import Callable

from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 3


def take_times(benchmark: BenchmarkFixture, work: Callable[[], object]) -> None:
    """Time some work in a few rounds; the median CPU time is noted beside."""
    cpu: list[float] = []

    def timed() -> None:
        began = time.process_time()
        work()
        cpu.append(time.process_time() - began)

    benchmark.pedantic(timed, rounds=ROUNDS)
    benchmark.extra_info["cpu_s"] = statistics.median(cpu)
