import pytest
import torch
from torch.testing import assert_close

from bench.errors import UserError
from bench.models.subject import SubjectModel
from bench.perturbation.direction import (
    draw_directions,
    perturbation_tangents,
)
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.prompts import Probe, Prompt

CPU = torch.device("cpu")


def test_perturbed_positions_hand_worked() -> None:
    """Sources of probes and of controls are perturbed, each once, in order."""
    probes = (
        Probe(source=3, site=6, controls=((1, 4), (3, 5)), previous_site=4,
              match_site=7),
        Probe(source=2, site=5, controls=((3, 6),), previous_site=3, match_site=6),
    )  # fmt: skip
    prompt = Prompt(
        id="a",
        split="discovery",
        input_ids=(0,) * 8,
        control_ids=(0,) * 8,
        corrupt_ids=(0,) * 8,
        probes=probes,
    )

    assert prompt.perturbed == (1, 2, 3)


def test_a_pool_of_one_token_is_refused(few_prompts: tuple[Prompt, ...]) -> None:
    """Without a second token there is no direction."""
    length = len(few_prompts[0].input_ids)
    same = [p.model_copy(update={"input_ids": (5,) * length}) for p in few_prompts]

    with pytest.raises(UserError, match="Every source of these prompts is token 5"):
        draw_directions(same, seed=0, device=CPU)


@pytest.mark.parametrize("seed", range(20))
def test_directions_never_point_at_the_own_token(
    few_prompts: tuple[Prompt, ...], seed: int
) -> None:
    """The other token differs from the source's and is one of the sources' tokens."""
    found = draw_directions(few_prompts, seed=seed, device=CPU)

    pool = {p.input_ids[j] for p in few_prompts for j in p.perturbed}
    for row, prompt in enumerate(few_prompts):
        assert found.positions[row].tolist() == list(prompt.perturbed)
        for position, other in zip(
            found.positions[row].tolist(), found.other_tokens[row].tolist(), strict=True
        ):
            assert other != prompt.input_ids[position]
            assert other in pool


def test_directions_depend_on_the_seed_alone(few_prompts: tuple[Prompt, ...]) -> None:
    """Equal seeds draw equal directions, another seed others."""
    first, again, other = (
        draw_directions(few_prompts, seed=seed, device=CPU) for seed in (1, 1, 2)
    )

    assert first.other_tokens.equal(again.other_tokens)
    assert not first.other_tokens.equal(other.other_tokens)


def test_directions_are_uniform() -> None:
    """Over many draws every other token of the pool comes up about equally often."""
    recipe = RepeatedRandom(
        kind="repeated-random",
        seed=0,
        period=8,
        bos=0,
        first_token=1,
        last_token=16,
        discovery=60,
        reference=17,
    )
    prompts = draw_prompts(recipe)
    steps = []
    for seed in range(20):
        found = draw_directions(prompts, seed=seed, device=CPU)
        for row, prompt in enumerate(prompts):
            own = torch.tensor([prompt.input_ids[j] for j in prompt.perturbed])
            steps.append((found.other_tokens[row] - own) % 16)
    counts = torch.bincount(torch.cat(steps), minlength=16)

    assert counts[0] == 0
    expected = counts.sum() / 15
    assert (counts[1:] - expected).abs().max() < 5 * expected.sqrt()


def test_tangents_by_loop(
    tiny_model: SubjectModel, few_prompts: tuple[Prompt, ...]
) -> None:
    """A tangent has the norm of its source and points to the other token."""
    ids = torch.tensor([p.input_ids for p in few_prompts])
    directions = draw_directions(few_prompts, seed=0, device=CPU)
    found = perturbation_tangents(tiny_model, ids, tiny_model.embed(ids), directions)

    table = tiny_model.module.get_parameter("model.embed_tokens.weight")
    for p, row in enumerate(directions.positions.tolist()):
        for j, position in enumerate(row):
            own = table[ids[p, position]]
            towards = table[directions.other_tokens[p, j]] - own
            assert_close(found[p, j], own.norm() * towards / towards.norm())
            assert found[p, j].norm() > 0.1
