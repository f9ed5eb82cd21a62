"""What benchmarks share: a model, large if times are taken."""

import pytest

from bench.perturbation.layout import Bench
from tests.benchmarks.speed.models import (
    GPT2_SMALL,
    TINY,
    Shape,
    random_bench,
    random_model,
)


@pytest.fixture(scope="module")
def shape(request: pytest.FixtureRequest) -> Shape:
    """Large if times are taken."""
    return GPT2_SMALL if request.config.getoption("benchmark_enable") else TINY


@pytest.fixture(scope="module")
def laid_out(shape: Shape) -> Bench:
    """Prompts on a model."""
    return random_bench(shape, random_model(shape))
