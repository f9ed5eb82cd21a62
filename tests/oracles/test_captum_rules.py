"""captum's rules for nonlinear parts against ours."""

import pytest
import torch
from captum import attr
from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR, nonlinear
from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule
from torch import Tensor, nn

from bench.models.backward_rules import _secant
from tests.oracles.comparison import assert_equal


def plain_network(activation: nn.Module) -> nn.Sequential:
    """Linear maps around activations, nothing of which is large or small."""
    parts = [nn.Linear(5, 7, bias=False), activation, nn.Linear(7, 1, bias=False)]
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(*parts)
    for weight in network.parameters():
        nn.init.normal_(weight, generator=generator)
    return network.requires_grad_(False)


def by_our_rule(network: nn.Sequential, inputs: Tensor) -> Tensor:
    """Multiply inputs by gradients that pass activations as x times f(x) / x."""
    handle = network[1].register_forward_hook(_secant)
    (gradient,) = torch.autograd.grad(network(inputs).sum(), inputs)
    handle.remove()
    return (inputs * gradient).detach()


@pytest.fixture(params=[nn.SiLU, nn.GELU])
def network(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> nn.Sequential:
    """A network whose activation is 0 at 0, known to captum's DeepLift."""
    monkeypatch.setitem(SUPPORTED_NON_LINEAR, request.param, nonlinear)
    return plain_network(request.param())


@pytest.fixture
def inputs() -> Tensor:
    """Four inputs."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, 5, generator=generator).requires_grad_()


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks:UserWarning")
def test_identity_rule_is_the_rescale_rule(
    network: nn.Sequential, inputs: Tensor
) -> None:
    """Against a baseline of zeros, DeepLift's multiplier is f(x) / x."""
    expected = attr.DeepLift(network).attribute(inputs, torch.zeros_like(inputs))
    ours = by_our_rule(network, inputs)
    slopes = (inputs * attr.Saliency(network).attribute(inputs, abs=False)).detach()

    assert (slopes - expected).abs().max() > 0.1
    assert_equal(ours.double().numpy(), expected)


def test_identity_rule_is_that_of_relevance_propagation(
    network: nn.Sequential, inputs: Tensor
) -> None:
    """LRP with the epsilon rule at linear maps and the identity at the activation."""
    first, last = EpsilonRule(epsilon=1e-9), EpsilonRule(epsilon=1e-9)
    rules = (first, IdentityRule(), last)
    for part, rule in zip(network, rules, strict=True):
        vars(part)["rule"] = rule
    expected = attr.LRP(network).attribute(inputs)

    assert_equal(by_our_rule(network, inputs).double().numpy(), expected)
