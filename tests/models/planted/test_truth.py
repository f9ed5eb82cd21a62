"""The reference protocol finds the circuits that were planted."""

from dataclasses import dataclass

import numpy as np
import pytest

from bench.models.planted.build import build_planted
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.measurement import excess
from bench.perturbation.replacements import mean_of_others
from bench.perturbation.stages import ablated_signatures, full_response, plain_behaviour
from bench.profiles.promptwise import PROFILES, ProfileName, PromptwiseReference
from bench.scores.nulls import ANALYTIC
from bench.scores.overlap import overlap
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import (
    ARCHITECTURES,
    PlantedRecipe,
    draw_placement,
)

STRENGTH = 1e-3
MEASURED = 8
"""Prompts measured; writes are replaced by their means over 16 others all the same."""
LEAST_OVERLAP, LEAST_R = 0.95, 0.98
LARGEST_NULL = 0.5


@dataclass(frozen=True)
class Measured:
    """What the protocol found, and what was planted."""

    profiles: dict[ProfileName, np.ndarray]
    truth: dict[ProfileName, np.ndarray]
    norm_growth: np.ndarray


def measure(seed: int, architecture: str, *, blocks: int) -> Measured:
    """Measure both profiles of a planted model; odd seeds have two copying sections."""
    recipe = PlantedRecipe(seed=seed, redundant=seed % 2 == 1)
    model = build_planted(recipe, architecture=architecture, blocks=blocks)
    drawing = recipe.prompts(discovery=2, reference=17)
    prompts = [p for p in draw_prompts(drawing) if p.split == "reference"]
    every = lay_out(model, prompts, seed=0, chunk=4)
    means = mean_of_others(every)
    bench = every.first(MEASURED)
    response = full_response(bench, strength=STRENGTH, progress=no_progress)
    ablated = ablated_signatures(bench, means, strength=STRENGTH, progress=no_progress)
    found = PromptwiseReference(
        gain=excess(response, "gain"),
        signature=excess(response, "relative")[:, -1],
        ablated=ablated["signature"],
    )
    behaviour = plain_behaviour(bench, progress=no_progress)
    return Measured(
        profiles={name: found.profile(name) for name in PROFILES},
        truth=draw_placement(recipe, blocks=blocks).truth(2 * blocks),
        norm_growth=behaviour["norm_growth"],
    )


def check(measured: Measured) -> None:
    """Compare what was found with what was planted."""
    for name in PROFILES:
        found, truth = measured.profiles[name], measured.truth[name]
        planted = np.flatnonzero(truth)

        assert (overlap(found, truth).value or 0.0) >= LEAST_OVERLAP, name
        assert np.corrcoef(found, truth)[0, 1] >= LEAST_R, name
        assert set(np.argsort(-found)[: len(planted)]) == set(planted), name
        growth = overlap(measured.norm_growth, found).value
        assert growth is None or growth <= LARGEST_NULL, name


@pytest.mark.parametrize("seed", [3, 8])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_protocol_finds_the_planted_circuit(architecture: str, seed: int) -> None:
    """Both profiles match the truth of the construction; norm growth does not."""
    check(measure(seed, architecture, blocks=5))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_protocol_finds_every_planted_circuit(architecture: str, seed: int) -> None:
    """The same over fifty seeds."""
    check(measure(seed, architecture, blocks=6))


@pytest.mark.parametrize("redundant", [False, True])
def test_no_prior_over_depth_finds_planted_circuits(redundant: bool) -> None:
    """No attribution that knows only depth or sublayer wins over many placements."""
    blocks = 8
    truths = [
        draw_placement(PlantedRecipe(seed=seed, redundant=redundant), blocks=blocks)
        for seed in range(400)
    ]
    for name in PROFILES:
        for build in ANALYTIC.values():
            null = build(2 * blocks)
            overlaps = [
                overlap(null, placed.truth(2 * blocks)[name]).value or 0.0
                for placed in truths
            ]
            assert np.mean(overlaps) <= LARGEST_NULL
