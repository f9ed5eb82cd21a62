"""How much of the machine's own matrix rate the engine reaches.

In an ordinary run this is a test of the count of operations, on a tiny model; `make
bench` measures at the shape of GPT-2-small.
"""

import statistics
import time

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch.utils.flop_counter import FlopCounterMode

from bench.perturbation.layout import Bench
from tests.benchmarks.speed.models import Shape
from tests.benchmarks.speed.workloads import our_responses

ROUNDS = 5
PRODUCTS = 20
SIDE = 1024


def count(bench: Bench) -> int:
    """Count the operations of all matrix products."""
    counter = FlopCounterMode(display=False)
    with counter:
        our_responses(bench)
    return counter.get_total_flops()


def count_by_hand(bench: Bench, shape: Shape) -> int:
    """Add up the products of a GPT-2: four weights a block, scores and values."""
    runs = bench.runs(bench.repeated)
    length = bench.batch.clean.shape[1]
    batches = [(len(bench), length, length)]
    for group in runs.groups:
        rows = len(bench) * len(range(bench.repeated.n_sources)[group.sources])
        batches.append((rows, length - group.start, length))
    total = 0
    for rows, queries, keys in batches:
        weights = 12 * shape.width**2 * rows * queries
        attention = 2 * shape.width * rows * queries * keys
        total += 2 * shape.blocks * (weights + attention)
    return total


def matrix_rate() -> float:
    """Measure the machine's rate for a large product, in operations a second."""
    left, right = torch.randn(2, SIDE, SIDE)
    times: list[float] = []
    for _ in range(PRODUCTS):
        began = time.perf_counter()
        _ = left @ right
        times.append(time.perf_counter() - began)
    return 2 * SIDE**3 / statistics.median(times)


@pytest.mark.benchmark(group="share of the matrix rate")
def test_share_of_the_matrix_rate(
    benchmark: BenchmarkFixture, laid_out: Bench, shape: Shape
) -> None:
    """Nothing before a source is computed: the count is that of suffixes alone."""
    operations = count(laid_out)
    assert operations == count_by_hand(laid_out, shape)

    times: list[float] = []
    rates: list[float] = []

    def timed() -> None:
        # around each round, as a processor's rate changes from minute to minute
        rates.append(matrix_rate())
        began = time.perf_counter()
        our_responses(laid_out)
        times.append(time.perf_counter() - began)
        rates.append(matrix_rate())

    benchmark.pedantic(timed, rounds=ROUNDS, warmup_rounds=1)
    if benchmark.enabled:
        reached = operations / statistics.median(times[1:])
        peak = statistics.median(rates[2:])
        benchmark.extra_info |= {
            "gflops": reached / 1e9,
            "matrix_gflops": peak / 1e9,
            "share": reached / peak,
            "threads": torch.get_num_threads(),
        }
