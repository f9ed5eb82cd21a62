"""How the time of a reference grows with the prompts and the model.

In an ordinary run these are tests that operations grow linearly and batches not at
all; `make bench` takes the times.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.models.counting import count_operations
from bench.perturbation.layout import Bench
from tests.benchmarks.speed.models import Shape, random_bench, random_model
from tests.benchmarks.speed.workloads import our_responses

MIDDLE = Shape(blocks=4, width=256, heads=4, vocabulary=500, period=16, prompts=4)
AXES: dict[str, tuple[int, ...]] = {
    "prompts": (4, 8, 16, 32),
    "blocks": (2, 4, 8, 16),
    "period": (8, 16, 32, 64),
    "width": (128, 256, 512, 1024),
}
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


def test_batches_do_not_grow_with_prompts() -> None:
    """More prompts are more batches, not larger ones."""
    sizes: dict[int, int] = {}
    for prompts in (2, 8):
        shape = replace(SMALL, prompts=prompts, period=8)
        bench = random_bench(shape, random_model(shape))
        sizes[prompts] = largest_batch(replace(bench, chunk=2, batch_rows=6))

    assert sizes[2] == sizes[8] == 6


def largest_batch(bench: Bench) -> int:
    """Return the most rows that a run had."""
    rows: list[int] = []

    def count(_module: object, inputs: tuple[torch.Tensor]) -> None:
        rows.append(len(inputs[0]))

    handle = bench.model.blocks[0].register_forward_pre_hook(count)
    our_responses(bench)
    handle.remove()
    return max(rows)
