"""Planted models hold the circuit that their recipe says, and nothing else."""

import numpy as np
import pytest
import torch

from bench.models.behaviour import half_losses, to_batch
from bench.models.planted.build import build_planted
from bench.models.run import run
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.planted import ORDINARY_TOKENS, PlantedRecipe, draw_placement
from bench.tasks.prompts import Prompt


@pytest.fixture(scope="module")
def prompts() -> tuple[Prompt, ...]:
    """A few prompts of period 16, longer than decoys reach."""
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=11,
        period=16,
        bos=0,
        first_token=1,
        last_token=ORDINARY_TOKENS,
        discovery=4,
        reference=17,
    )
    return draw_prompts(recipe)[:4]


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "gemma2"])
def test_planted_model_copies(architecture: str, prompts: tuple[Prompt, ...]) -> None:
    """The second half is predicted, the first is not."""
    model = build_planted(PlantedRecipe(seed=4), architecture=architecture, blocks=4)
    batch = to_batch(prompts, device="cpu")
    logits = run(model, batch.clean).logits
    assert logits is not None
    first, second = half_losses(logits, batch)

    assert first.mean() > 3.0
    assert second.mean() < 0.1


def test_seed_decides_every_weight() -> None:
    """Equal seeds give equal weights, others other placements and weights."""
    one, same, other = (
        build_planted(PlantedRecipe(seed=seed), architecture="llama", blocks=3)
        for seed in (1, 1, 2)
    )
    weights = [model.module.state_dict() for model in (one, same, other)]

    for name in weights[0]:
        assert torch.equal(weights[0][name], weights[1][name])
    key = "model.embed_tokens.weight"
    assert not torch.equal(weights[0][key], weights[2][key])


def test_placements_are_uniform() -> None:
    """Every pair of distinct blocks is about as likely, early ones and late ones."""
    counts = np.zeros((4, 4))
    for seed in range(600):
        placed = draw_placement(PlantedRecipe(seed=seed), blocks=4)
        counts[placed.previous // 2, placed.induction[0] // 2] += 1

    drawn = counts[np.triu_indices(4, k=1)]
    assert drawn.sum() == 600
    assert ((drawn - 100) ** 2 / 100).sum() < 20.5  # chi-square, 5 degrees, p = .001


def test_too_few_blocks_are_refused() -> None:
    """A circuit of three sections needs three blocks."""
    with pytest.raises(ValueError, match="needs 3 blocks; found 2"):
        draw_placement(PlantedRecipe(seed=0, redundant=True), blocks=2)
