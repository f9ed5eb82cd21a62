"""A reference's two kinds of work: this engine against one whole run for each source.

In an ordinary run these are tests of equality on a tiny model; `make bench` times them
at the shape of GPT-2-small.
"""

from collections.abc import Callable
from functools import partial

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.testing import assert_close

from bench.models.counting import forward_equivalents
from bench.perturbation.layout import Bench
from tests.benchmarks.speed.engines import RIVALS
from tests.benchmarks.speed.memory import peak_bytes
from tests.benchmarks.speed.models import Shape, random_model, with_sources
from tests.benchmarks.speed.timing import take_times
from tests.benchmarks.speed.workloads import (
    our_ablations,
    our_responses,
    rival_ablations,
    rival_responses,
)

WORKLOADS = {
    "responses": (our_responses, rival_responses),
    "ablations": (our_ablations, rival_ablations),
}
EVERY = {"responses": 1, "ablations": 6}
"""Of so many sources one is timed; of whole runs under ablations there are many."""
FEW = 8
"""The same for what is compared, and for peak memory."""


@pytest.fixture(scope="module")
def engines(shape: Shape) -> dict[str, Callable[[str, Bench], Tensor]]:
    """Return what does a workload on prompts, by name."""
    made = {"ours": lambda work, prompts: WORKLOADS[work][0](prompts)}
    untouched = random_model(shape, prepared=False)
    for rival in RIVALS:
        forward = rival(untouched)
        made[rival.__name__] = partial(by_whole_runs, forward)
    return made


@pytest.fixture(scope="module")
def expectations(
    laid_out: Bench, engines: dict[str, Callable[[str, Bench], Tensor]]
) -> dict[str, Tensor]:
    """What each workload gives with plain hooks, for few sources."""
    few = some_sources(laid_out, FEW)
    return {work: engines["plain_hooks"](work, few) for work in WORKLOADS}


def some_sources(bench: Bench, step: int) -> Bench:
    """Take one of so many sources."""
    return with_sources(bench, range(0, bench.repeated.n_sources, step))


def by_whole_runs(forward: Callable, work: str, prompts: Bench) -> Tensor:
    """Do a workload with another engine's runs."""
    return WORKLOADS[work][1](prompts, forward)


@pytest.mark.parametrize("work", WORKLOADS)
@pytest.mark.parametrize("name", ["ours", *(rival.__name__ for rival in RIVALS)])
def test_reference_work(
    benchmark: BenchmarkFixture,
    laid_out: Bench,
    engines: dict[str, Callable[[str, Bench], Tensor]],
    expectations: dict[str, Tensor],
    work: str,
    name: str,
) -> None:
    """All engines find the same responses."""
    benchmark.group = f"reference: {work}"
    prompts, few = (some_sources(laid_out, step) for step in (EVERY[work], FEW))
    found: list[Tensor] = []
    # the first run is for the answer and for memory; looking on takes time
    peak = peak_bytes(lambda: found.append(engines[name](work, few)))
    expected = expectations[work]
    assert found[0].shape == expected.shape
    assert float(expected.abs().max()) > 0.01
    # as far apart as rounding is, of residuals that a small strength divides
    assert_close(found[0], expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))

    def timed() -> Tensor:
        return engines[name](work, prompts)

    counted = forward_equivalents(laid_out.model, laid_out.batch, timed)
    take_times(benchmark, timed)
    benchmark.extra_info |= {
        "forward_equivalents": counted,
        "prompts": len(prompts),
        "peak_bytes": peak,
    }
