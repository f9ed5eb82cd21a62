"""How the time of a reference grows with the prompts and the model.

In an ordinary run these are tests that operations grow linearly and batches not at
all; `make bench` takes the times.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.models.counting import count_operations
from bench.perturbation.layout import Bench, no_progress
from bench.perturbation.replacements import mean_of_others
from bench.perturbation.stages import ablated_signatures, full_response, plain_behaviour
from tests.benchmarks.speed.memory import peak_bytes
from tests.benchmarks.speed.models import (
    Shape,
    random_bench,
    random_model,
    with_sources,
)
from tests.benchmarks.speed.workloads import our_responses

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
    responses = benchmark.pedantic(
        our_responses, args=(bench,), rounds=ROUNDS, warmup_rounds=1
    )
    assert responses.isfinite().all()
    assert len(responses) == shape.prompts
    if axis in MEMORY_AXES:
        found = peaks(bench)
        benchmark.extra_info["peak_bytes"] = [found["responses"], found["ablations"]]


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


def peaks(bench: Bench) -> dict[str, int]:
    """Measure the peak memory of a reference's stages, answers included."""
    options: dict[str, Any] = {"strength": 0.01, "progress": no_progress}
    stages: dict[str, Callable[[], object]] = {
        "behaviour": lambda: plain_behaviour(bench, progress=no_progress),
        "responses": lambda: full_response(bench, **options),
        "ablations": lambda: ablated_signatures(
            bench, mean_of_others(bench), **options
        ),
    }
    return {name: peak_bytes(stage) for name, stage in stages.items()}


def small_bench(**changes: int) -> Bench:
    """Lay out a small bench of two prompts at once and two of their sources."""
    shape = replace(SMALL, **changes)
    return replace(random_bench(shape, random_model(shape)), chunk=2, group_size=2)


def test_memory_is_flat_in_prompts() -> None:
    """More prompts are more chunks; only what is read of each prompt is kept."""
    # wide, so that the answers themselves are little of it
    few, many = (peaks(small_bench(prompts=n, width=64)) for n in (4, 16))

    assert few == pytest.approx(many, rel=0.1)


def test_memory_is_flat_in_sources() -> None:
    """More sources of a prompt are more batches.

    So it is under ablations; the answer to all responses has numbers of each source.
    """
    many = small_bench(period=32, vocabulary=128)
    # the longest runs, and the latest that needs a past
    few = with_sources(many, [0, 1, -2, -1])

    assert many.repeated.n_sources > 7 * few.repeated.n_sources
    less, more = peaks(few)["ablations"], peaks(many)["ablations"]
    assert less == pytest.approx(more, rel=0.1)
