"""GPT-2's activation in one kernel is the function that transformers writes."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from torch.testing import assert_close
from transformers.activations import NewGELUActivation

from bench.models.activations import fuse_activations
from bench.models.architectures.registry import KNOWN
from bench.models.loading import load_model
from bench.models.run import run
from bench.tasks.registry import data_root, find_task
from tests.contracts.random_models import random_subject


def written(module: nn.Module) -> int:
    """Count the activations that are still written in several operations."""
    return sum(isinstance(part, NewGELUActivation) for part in module.modules())


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_models_stay_what_they_are(name: str) -> None:
    """The same states and gradients, in 64 bits; GPT-2's alone is changed."""
    before = random_subject(name)
    before.module.double()
    after = deepcopy(before)
    fuse_activations(after.module)
    several = 3 if name == "gpt2" else 0
    assert [written(before.module), written(after.module)] == [several, 0]

    ids = torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(0))
    found = []
    for model in (before, after):
        start = model.embed(ids).requires_grad_()
        last = run(model, ids, embeddings=start).states[-1]
        slopes = torch.autograd.grad(last.pow(2).sum(), start)[0]
        found.append((last.detach(), slopes))
    assert_close(found[1], found[0], rtol=1e-10, atol=1e-10)


def test_values_and_slopes_by_formula() -> None:
    """It is x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), in 64 bits."""
    x = torch.linspace(-6, 6, 101, dtype=torch.float64)
    scale = (2 / torch.pi) ** 0.5
    curve = torch.tanh(scale * (x + 0.044715 * x**3))
    inner = scale * (1 + 3 * 0.044715 * x**2)
    module = nn.Sequential(NewGELUActivation())
    fuse_activations(module)

    assert_close(module(x), x * (1 + curve) / 2, rtol=1e-12, atol=1e-14)
    with dual_level():
        slope = unpack_dual(module(make_dual(x, torch.ones_like(x)))).tangent
    expected = (1 + curve) / 2 + x * (1 - curve**2) * inner / 2
    assert_close(slope, expected, rtol=1e-12, atol=1e-13)


def test_loaded_models_have_it() -> None:
    """However a model is loaded, for references and for methods."""
    task = find_task("induction/small-gpt2", root=data_root())
    model = load_model(task, device="cpu")

    assert model.module.config.activation_function == "gelu_new"
    assert written(model.module) == 0
