from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.models.behaviour import PromptBatch, centred_logit
from bench.models.planted.build import build_planted
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.reproduction.disguise import ADDED, QUIET, disguise, moved
from bench.tasks.planted import ARCHITECTURES, PlantedRecipe


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_disguise_computes_the_same(
    architecture: str, tiny_batch: PromptBatch
) -> None:
    """The behaviour stays whatever the architecture; added blocks write hardly."""
    model = build_planted(PlantedRecipe(seed=0), architecture=architecture, blocks=2)
    ids = {k: getattr(tiny_batch, k) % 33 for k in ("clean", "corrupt", "control")}
    batch = replace(tiny_batch, **ids)

    made = disguise(model, batch, seed=5)

    with torch.no_grad():
        before, after = run(model, batch.clean), run(made.model, made.prompts.clean)
    assert len(made.model.blocks) == 2 + ADDED
    assert not torch.equal(made.prompts.clean, batch.clean)
    np.testing.assert_allclose(
        centred_logit(after.logits, made.prompts),
        centred_logit(before.logits, batch),
        atol=0.05,
    )
    lengths = torch.stack([*after.writes]).norm(dim=-1).mean(dim=(1, 2))
    added = sorted(set(range(len(lengths))) - set(made.kept))
    assert lengths[added].max() < 10 * QUIET * lengths[list(made.kept)].max()


def test_the_public_model_is_left_alone(
    make_model: Callable[..., SubjectModel], tiny_batch: PromptBatch
) -> None:
    """Weights and configuration stay as they were, and so does torch's generator."""
    model = make_model()
    before = {k: v.clone() for k, v in model.module.state_dict().items()}
    state = torch.get_rng_state()

    disguise(model, tiny_batch, seed=0)

    assert all(torch.equal(v, before[k]) for k, v in model.module.state_dict().items())
    assert len(model.blocks) == model.module.config.num_hidden_layers == 2
    assert torch.equal(torch.get_rng_state(), state)


def test_prompts_keep_their_form(
    make_model: Callable[..., SubjectModel], tiny_batch: PromptBatch
) -> None:
    """They begin with the same token, and equal tokens stay equal."""
    made = disguise(make_model(), tiny_batch, seed=0)

    clean = made.prompts.clean
    assert torch.equal(clean[:, 0], tiny_batch.clean[:, 0])
    half = (clean.shape[1] - 1) // 2
    assert torch.equal(clean[:, 1 : half + 1], clean[:, half + 1 :])


def test_profiles_move_with_the_blocks() -> None:
    """Hand-worked: block 0 becomes block 1, block 1 becomes block 3."""
    found = moved(np.array([1.0, 2.0, 3.0, 4.0]), [2, 3, 6, 7], n_sections=8)

    assert found.tolist() == [0, 0, 1, 2, 0, 0, 3, 4]
