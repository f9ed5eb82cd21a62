"""A circuit that was planted deep in a model is not refused for the model's depth."""

import numpy as np
import pytest

from bench.models.loading import untrained_like
from bench.models.planted.build import build_planted
from bench.models.subject import SubjectModel
from bench.perturbation.gates import (
    LARGEST_DEVIATION,
    LEAST_DECADES,
    LEAST_RATIO_TO_PROMPTS,
    LEAST_RATIO_TO_SITES,
)
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.measurement import copy_ratio, excess
from bench.perturbation.regime import (
    LARGEST_CHANGE,
    STRENGTHS,
    deviations,
    find_regime,
)
from bench.perturbation.stages import Arrays, full_response, strength_sweep
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import PlantedRecipe, draw_placement

RECIPE = PlantedRecipe(seed=0)
BLOCKS = 16
PROMPTS = 3


@pytest.fixture(scope="module")
def planted() -> SubjectModel:
    """A Llama of 16 blocks in which every other section looks back a few positions."""
    return build_planted(RECIPE, architecture="llama", blocks=BLOCKS)


def respond(model: SubjectModel) -> Arrays:
    """Measure all responses on a few prompts."""
    drawn = draw_prompts(RECIPE.prompts(discovery=2, reference=17))
    prompts = [prompt for prompt in drawn if prompt.split == "reference"][:PROMPTS]
    bench = lay_out(model, prompts, seed=0, chunk=PROMPTS)
    return full_response(bench, strength=1e-3, progress=no_progress)


def ratios(response: Arrays) -> dict[str, float]:
    """Divide the copy-site response by each control's, at the largest signature."""
    return {
        "all": copy_ratio(response, ("repeated", "control")),
        "far": copy_ratio(response, ("repeated", "far")),
        "prompts": copy_ratio(response, ("control", "copy")),
    }


def test_far_controls_hold_in_deep_models(planted: SubjectModel) -> None:
    """Control sites near the source would refuse what was planted; far ones do not."""
    response = respond(planted)
    found = ratios(response)
    gain = excess(response, "gain").mean(axis=0)

    assert found["all"] < LEAST_RATIO_TO_SITES
    assert found["far"] > 2 * LEAST_RATIO_TO_SITES
    assert found["prompts"] > 2 * LEAST_RATIO_TO_PROMPTS
    assert gain.max() > 0.8 * np.clip(gain, 0, None).sum()


def test_an_untrained_deep_model_fails_both_ratios(planted: SubjectModel) -> None:
    """Without training every ratio is near 1, far controls or not."""
    found = ratios(respond(untrained_like(planted, seed=0)))

    assert found["all"] < 1.5
    assert found["far"] < 1.5 < LEAST_RATIO_TO_SITES
    assert found["prompts"] < 1.5 < LEAST_RATIO_TO_PROMPTS


def test_rounding_does_not_end_the_regime() -> None:
    """A deep Gemma 2 responds with rounding alone before its induction section.

    Relative to a fiftieth of the final response that would end its regime early.
    """
    recipe = PlantedRecipe(seed=2)
    model = build_planted(recipe, architecture="gemma2", blocks=BLOCKS)
    drawn = draw_prompts(recipe.prompts(discovery=2, reference=17))
    bench = lay_out(model, drawn[-1:], seed=0, chunk=1)
    sweep = strength_sweep(bench, (*STRENGTHS, None), progress=no_progress)
    responses, exact = sweep["copy_response"][:-1], sweep["copy_response"][-1]
    found = find_regime(np.array(STRENGTHS), responses)
    row = STRENGTHS.index(found.strength)
    before = slice(1, draw_placement(recipe, blocks=BLOCKS).induction[0] + 1)
    two_decades = slice(STRENGTHS.index(1e-4), STRENGTHS.index(1e-2) + 1)
    rounding = np.ptp(responses[two_decades, before], axis=0).max()

    assert found.decades >= LEAST_DECADES
    assert deviations(responses, exact)[row].max() <= LARGEST_DEVIATION
    assert rounding > LARGEST_CHANGE * 0.02 * responses[row, -1]
