"""Methods' hot paths: restarted and without logits, against whole runs.

In an ordinary run these are tests of equality on a tiny model; `make bench` times them
at the shape of GPT-2-small.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor
from torch.testing import assert_close

from bench.methods.context import TaskContext
from bench.models.counting import forward_equivalents
from bench.models.subject import SubjectModel
from bench.perturbation.layout import Bench
from tests.benchmarks.speed.engines import RIVALS, Forward
from tests.benchmarks.speed.memory import peak_bytes
from tests.benchmarks.speed.method_workloads import CAPTUM, METHODS, ours
from tests.benchmarks.speed.models import Shape, random_model
from tests.benchmarks.speed.timing import take_times

FEW = 2
"""Prompts whose results are compared."""
TIMED_PROMPTS = 4


@pytest.fixture(scope="module")
def context(laid_out: Bench) -> TaskContext:
    """What a method is given of the prompts."""
    generator = torch.Generator().manual_seed(0)
    return TaskContext(laid_out.model, laid_out.batch, generator)


@pytest.fixture(scope="module")
def untouched(shape: Shape) -> SubjectModel:
    """The same model as other engines get it."""
    return random_model(shape, prepared=False)


@pytest.fixture(scope="module")
def engines(untouched: SubjectModel) -> dict[str, Forward]:
    """Return the engines of other packages."""
    return {rival.__name__: rival(untouched) for rival in RIVALS}


def work_of(
    work: str, name: str, engines: dict[str, Forward]
) -> Callable[[TaskContext], Tensor]:
    """Return what does the work by an engine."""
    method, rival = METHODS[work]
    if name == "ours":
        return ours(method)
    if name == "captum":
        return lambda ctx: CAPTUM[work](ctx, engines["plain_hooks"])
    return lambda ctx: rival(ctx, engines[name])


ENGINES = ["ours", *(rival.__name__ for rival in RIVALS)]
CASES = [(work, name) for work in METHODS for name in ENGINES]
CASES += [(work, "captum") for work in CAPTUM]


@pytest.mark.parametrize(("work", "name"), CASES)
def test_method(
    benchmark: BenchmarkFixture,
    context: TaskContext,
    untouched: SubjectModel,
    engines: dict[str, Forward],
    work: str,
    name: str,
) -> None:
    """All engines find the same attributions."""
    benchmark.group = f"method: {work}"
    theirs = replace(context, subject=untouched)
    chosen = context if name == "ours" else theirs
    few, timed = chosen.first_prompts(FEW), chosen.first_prompts(TIMED_PROMPTS)
    run = work_of(work, name, engines)
    hooked = work_of(work, "plain_hooks", engines)
    expected = hooked(theirs.first_prompts(FEW)).double()
    found = run(few).double()
    scale = float(expected.abs().max())
    assert scale > 1e-4
    assert_close(found, expected, rtol=1e-3, atol=1e-4 * scale)

    take_times(benchmark, lambda: run(timed))
    one = chosen.first_prompts(1)
    benchmark.extra_info |= {
        "prompts": len(timed.prompts),
        "peak_bytes": peak_bytes(lambda: run(timed)),
        "forward_equivalents": forward_equivalents(
            one.subject, one.prompts, lambda: run(one)
        ),
    }
