"""How the time of a reference grows with the prompts and the model.

In an ordinary run these are tests that operations grow linearly and batches not at
all; `make bench` takes the times.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.models.counting import count_operations
from bench.perturbation.layout import Bench
from tests.benchmarks.speed.memory import peak_bytes
from tests.benchmarks.speed.models import Shape, random_bench, random_model
from tests.benchmarks.speed.workloads import (
    ablated_values,
    our_ablations,
    our_responses,
)

MIDDLE = Shape(blocks=4, width=256, heads=4, vocabulary=500, period=16, prompts=4)
AXES: dict[str, tuple[int, ...]] = {
    "prompts": (4, 8, 16, 32),
    "blocks": (2, 4, 8, 16),
    "period": (8, 16, 32, 64),
    "width": (128, 256, 512, 1024),
}
MEMORY_AXES = ("prompts", "period")
POINTS = [(axis, value) for axis, values in AXES.items() for value in values]
SMALL = Shape(blocks=2, width=16, heads=2, vocabulary=64, period=8, prompts=2)
ROUNDS = 3


@pytest.mark.parametrize(("axis", "value"), POINTS)
def test_scaling(benchmark: BenchmarkFixture, axis: str, value: int) -> None:
    """Time at one point of a curve, all other sizes in the middle."""
    benchmark.group = f"scaling: {axis}"
    shape = replace(MIDDLE, **{axis: value}) if benchmark.enabled else SMALL
    bench = random_bench(shape, random_model(shape))
    found = benchmark.pedantic(
        our_responses, args=(bench,), rounds=ROUNDS, warmup_rounds=1
    )
    assert found.isfinite().all()
    assert len(found) == shape.prompts
    if axis in MEMORY_AXES:
        benchmark.extra_info["peak_bytes"] = peaks(bench)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(benchmark: BenchmarkFixture, threads: int) -> None:
    """Time with so many threads, at the shape of GPT-2-small."""
    benchmark.group = "scaling: threads"
    shape = replace(Shape(), prompts=2) if benchmark.enabled else SMALL
    bench = random_bench(shape, random_model(shape))
    expected = our_responses(bench)
    with using(threads):
        found = our_responses(bench)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        benchmark.pedantic(our_responses, args=(bench,), rounds=ROUNDS)


@contextmanager
def using(threads: int) -> Generator[None, None, None]:
    """Let torch use so many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def operations(**changes: int) -> int:
    """Count the operations of all responses at a shape."""
    shape = replace(SMALL, **changes)
    bench = random_bench(shape, random_model(shape))
    return count_operations(lambda: our_responses(bench))


@pytest.mark.parametrize("axis", ["prompts", "blocks"])
def test_operations_are_linear(axis: str) -> None:
    """Twice as many prompts, or blocks, are twice the operations, to the last one."""
    assert operations(**{axis: 4}) == 2 * operations(**{axis: 2})
    assert operations(**{axis: 6}) == 3 * operations(**{axis: 2})


def peaks(bench: Bench) -> list[int]:
    """Measure each work's peak memory, without its answer."""
    values = ablated_values(bench)
    works = (our_responses, partial(our_ablations, values=values))
    return [peak_bytes(lambda w=work: w(bench)) - work(bench).nbytes for work in works]


def small_bench(**changes: int) -> Bench:
    """Lay out a small bench of two prompts at once and four rows a batch."""
    shape = replace(SMALL, **changes)
    return replace(random_bench(shape, random_model(shape)), chunk=2, batch_rows=4)


def test_memory_is_flat_in_prompts() -> None:
    """More prompts are more chunks; only the answer grows."""
    few, many = peaks(small_bench(prompts=4)), peaks(small_bench(prompts=16))

    assert few == pytest.approx(many, rel=0.01)


def test_memory_is_flat_in_sources() -> None:
    """More sources of a prompt are more batches; what is read of each is small."""
    many = small_bench(period=32, vocabulary=128)
    chosen = [0, 1, -2, -1]  # the longest runs, and the latest that needs a past
    positions, tangents = many.repeated.positions, many.repeated.tangents
    probing = replace(
        many.repeated, positions=positions[:, chosen], tangents=tangents[:, chosen]
    )
    few = replace(many, repeated=probing)

    assert many.repeated.n_sources > 7 * few.repeated.n_sources
    assert peaks(few) == pytest.approx(peaks(many), rel=0.1)
