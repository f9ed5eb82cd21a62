import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.methods.context import TaskContext
from bench.methods.learned import subnetwork_probing as module
from bench.methods.learned.subnetwork_probing import (
    CLOSED,
    START,
    _divergence,
    _draw,
    _gated_run,
    open_probability,
    subnetwork_probing,
)
from bench.models.behaviour import to_batch
from bench.models.planted.build import build_planted
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import PlantedRecipe, draw_placement
from tests.methods.naive_llama import Change, NaiveTask, deviation

STEPS = 20
EVERY = torch.arange(3)


def divergence(task: NaiveTask, p: int, own: Tensor, other: Tensor) -> Tensor:
    """Compare two runs' predictions at one prompt's copy sites."""
    total = torch.zeros((), dtype=torch.float64)
    for site in task.sites[p]:
        expected, found = own[site].softmax(0), other[site].softmax(0)
        total = total + (expected * (expected / found).log()).sum()
    return total / len(task.sites[p])


def gated(gate: Tensor, other: Tensor) -> Change:
    """Mix a write with the corrupt run's."""
    return lambda write, _residual: gate * write + (1 - gate) * other


def by_loop(
    ctx: TaskContext, *, price_factor: float = 1.0, stretched: bool = True
) -> np.ndarray:
    """Train the gates by a hand-written Adam, on the same draws."""
    task = NaiveTask(ctx)
    clean = [task.run("clean", p) for p in task.all]
    corrupt = [task.run("corrupt", p) for p in task.all]
    prices = [divergence(task, p, clean[p].logits, corrupt[p].logits) for p in task.all]
    price = price_factor * torch.stack(prices).mean()
    generator = torch.Generator().manual_seed(0)
    gates = torch.full((4,), 2.0, dtype=torch.float64)
    first, second = torch.zeros(4).double(), torch.zeros(4).double()
    for step in range(1, STEPS + 1):
        p = int(torch.randperm(3, generator=generator)[0])
        noise = torch.rand(4, generator=generator).double()
        gates = gates.detach().requires_grad_()
        spread = 1 / (1 + (-(noise.log() - (1 - noise).log() + gates) * 1.5).exp())
        drawn = (1.2 * spread - 0.1).clamp(0, 1) if stretched else spread
        changes = {s: gated(drawn[s], corrupt[p].writes[s]) for s in range(4)}
        found = task.run("clean", p, changes=changes).logits
        opened = 1 / (1 + (2 / 3 * math.log(0.1 / 1.1) - gates).exp())
        loss = divergence(task, p, clean[p].logits, found) + price * opened.mean()
        slope = torch.autograd.grad(loss, gates)[0]
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * slope**2
        size = (second / (1 - 0.999**step)).sqrt() + 1e-8
        gates = gates - 0.1 * first / (1 - 0.9**step) / size
    return torch.sigmoid(gates - 2 / 3 * math.log(0.1 / 1.1)).detach().numpy()


def test_equals_a_hand_written_training(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same draws lead a second implementation to the same gates."""
    monkeypatch.setattr(module, "STEPS", STEPS)
    expected = by_loop(tiny_context)

    assert np.ptp(expected) > 0.01
    assert deviation(subnetwork_probing(tiny_context).values, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"price_factor": 0.0}, {"stretched": False}])
def test_price_and_stretch_matter(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch, spoilt: dict
) -> None:
    """Free gates, or gates that never shut, end elsewhere."""
    monkeypatch.setattr(module, "STEPS", STEPS)
    expected = by_loop(tiny_context, **spoilt)

    assert deviation(subnetwork_probing(tiny_context).values, expected) > 1e-3


def test_open_probability_by_hand() -> None:
    """A gate is shut below the point where the stretched sigmoid crosses zero.

    That is at soft = 1/12, noise odds = (1/11)^(2/3) exp(-logit): with logit 0 it is
    shut with odds 0.2022, probability 0.1682.
    """
    found = open_probability(torch.tensor([0.0, CLOSED, START]))

    assert_close(found, torch.tensor([0.8318, 0.5, 0.9734]), atol=1e-4, rtol=0.0)


def test_draws_shut_as_often_as_they_should(tiny_context: TaskContext) -> None:
    """Shut gates are as frequent as the probability says; some are wide open."""
    logits = torch.linspace(-2.0, 1.0, 4).repeat_interleave(5000)
    gates = _draw(tiny_context, logits).reshape(4, 5000)
    expected = open_probability(torch.linspace(-2.0, 1.0, 4))

    assert ((gates >= 0) & (gates <= 1)).all()
    assert (gates == 1).float().mean(dim=1).min() > 0.02
    assert_close((gates > 0).float().mean(dim=1), expected, atol=0.02, rtol=0.0)


def test_gates_all_open_are_the_clean_run(tiny_context: TaskContext) -> None:
    """Open gates change no logit, and do not diverge."""
    ctx = tiny_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    found = _gated_run(ctx, corrupt, torch.ones(4), EVERY)

    assert_close(found.logits, clean.logits, rtol=1e-5, atol=1e-5)
    assert float(_divergence(ctx, clean, found, EVERY)) == pytest.approx(0.0, abs=1e-6)


def test_gates_all_shut_are_the_corrupt_run_at_copy_sites(
    tiny_context: TaskContext,
) -> None:
    """All writes and the copy sites' tokens are the corrupt run's, so its price."""
    ctx = tiny_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    found = _gated_run(ctx, corrupt, torch.zeros(4), EVERY)
    rows = EVERY[:, None]
    shut = float(_divergence(ctx, clean, found, EVERY))
    price = float(_divergence(ctx, clean, corrupt, EVERY))

    assert price > 0.1
    assert shut == pytest.approx(price, rel=1e-4)
    assert_close(
        found.logits[rows, ctx.prompts.sites], corrupt.logits[rows, ctx.prompts.sites]
    )
    assert not torch.allclose(found.logits[:, 1:9], corrupt.logits[:, 1:9], atol=0.1)


@pytest.mark.parametrize("seed", [4, 8])
def test_planted_circuit_stays_open(seed: int) -> None:
    """Gates of a planted circuit end open, gates of decoys shut."""
    recipe = PlantedRecipe(seed=seed)
    placement = draw_placement(recipe, blocks=3)
    prompts = draw_prompts(recipe.prompts(discovery=4, reference=17))[:4]
    ctx = TaskContext(
        subject=build_planted(recipe, architecture="llama", blocks=3),
        prompts=to_batch(prompts, device="cpu"),
        generator=torch.Generator().manual_seed(0),
    )
    circuit = [placement.previous, *placement.induction]
    values = subnetwork_probing(ctx).values
    decoys = np.delete(values, circuit)

    assert values[circuit].min() > 0.9
    assert decoys.max() < 0.5
