"""The bootstrap of a skill: all resamples at once against one after the other.

In an ordinary run these are tests of equality; `make bench` times them side by side.
"""

from collections.abc import Callable
from zlib import crc32

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.profiles.attribution import LayerAttribution
from bench.results.reference_record import Reference, read_reference
from bench.results.targets import measure_yardstick, null_attributions
from bench.scores.bootstrap import resamples
from bench.scores.overlap import overlap
from bench.scores.skill import skill
from bench.tasks.registry import data_root, find_task
from tests.conftest import score_against

SECTIONS, PROMPTS = 12, 32


@pytest.fixture(scope="module")
def reference() -> Reference:
    """The reference of small-llama."""
    task = find_task("induction/small-llama", root=data_root())
    return read_reference(task, root=data_root())


def attribution() -> LayerAttribution:
    """An attribution that differs from prompt to prompt, here and there negative."""
    values = np.random.default_rng(0).normal(0.3, 1.0, size=(PROMPTS, SECTIONS))
    return LayerAttribution(values=values.mean(axis=0), per_prompt=values)


def at_once(reference: Reference) -> np.ndarray:
    """The shipped one."""
    draws = score_against(attribution(), reference).profiles["emergence"].draws
    return np.array(draws)


def one_by_one(reference: Reference) -> np.ndarray:
    """A loop over resamples with the scores for single profiles."""
    given = attribution()
    assert given.per_prompt is not None
    nulls = null_attributions(reference, "emergence")
    task = crc32(b"induction/small-llama")
    streams = [2 * task, 2 * task + 1]
    ceiling = reference.record.ceiling["emergence"]
    drawn: list[float] = []
    for rows, own in zip(*(resamples(PROMPTS, stream=s) for s in streams), strict=True):
        target = reference.promptwise.profile("emergence", rows)
        yardstick = measure_yardstick(nulls, target, ceiling=ceiling)
        found = overlap(given.per_prompt[own].mean(axis=0), target)
        value = skill(found, yardstick).value
        drawn.append(-1.0 if value is None else value)
    return np.array(drawn)


@pytest.mark.benchmark(group="bootstrap of a skill")
@pytest.mark.parametrize("engine", [at_once, one_by_one], ids=lambda f: f.__name__)
def test_bootstrap_of_a_skill(
    benchmark: BenchmarkFixture,
    reference: Reference,
    engine: Callable[[Reference], np.ndarray],
) -> None:
    """Both engines draw the same skills."""
    np.testing.assert_allclose(engine(reference), one_by_one(reference), atol=1e-12)

    benchmark(engine, reference)
