"""Let gradients pass through nonlinear parts by other rules than the derivative.

Under these rules activation times gradient is a relevance that linear layers conserve.
The forward pass stays what it is.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bench.models.architectures.architecture import FrozenNorm
from bench.models.attention import PLAIN, AttentionRules, observed_heads
from bench.models.gradient_scale import scale_gradient, with_slope
from bench.models.subject import SubjectModel

TINY = 1e-6
"""Below this an activation's secant is its slope at 0."""
SLOPE_AT_ZERO = 0.5
"""Of GELU and SiLU alike."""


@dataclass(frozen=True)
class BackwardRules:
    """Which parts pass gradients by another rule."""

    norms: bool = False
    """Norms pass gradients as linear maps, their statistics constants (LN rule)."""
    activations: bool = False
    """f(x) passes gradients as x times the constant f(x) / x (identity rule)."""
    gates: bool = False
    """Each factor of a gated product gets half of the gradient (half rule)."""
    attention: AttentionRules = PLAIN


@contextmanager
def backward_rules(
    model: SubjectModel, rules: BackwardRules
) -> Generator[None, None, None]:
    """Apply rules to all runs inside."""
    with ExitStack() as stack:
        for handle in _register(model, rules):
            stack.callback(handle.remove)
        if rules.attention != PLAIN:
            stack.enter_context(observed_heads(model, rules.attention))
        yield


def _register(model: SubjectModel, rules: BackwardRules) -> list[RemovableHandle]:
    """Hook the parts concerned; activations before gates, for both share a module."""
    places = model.architecture
    activations = [block.get_submodule(places.activation) for block in model.blocks]
    handles: list[RemovableHandle] = []
    if rules.norms:
        hook = partial(_frozen, places.frozen_norm)
        handles += [norm.register_forward_hook(hook) for norm in _norms(model.module)]
    if rules.activations:
        handles += [module.register_forward_hook(_secant) for module in activations]
    if rules.gates and places.gate is not None:
        gates = [block.get_submodule(places.gate) for block in model.blocks]
        handles += [m.register_forward_hook(_halved) for m in activations + gates]
    return handles


def _norms(module: nn.Module) -> list[nn.Module]:
    return [part for part in module.modules() if "Norm" in type(part).__name__]


def _frozen(
    frozen_norm: FrozenNorm, norm: nn.Module, inputs: tuple[Tensor], output: Tensor
) -> Tensor:
    return with_slope(output, frozen_norm(norm, inputs[0].detach(), inputs[0]))


def _secant(_module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    x = inputs[0]
    small = x.abs() < TINY
    ratio = torch.where(small, SLOPE_AT_ZERO, output / torch.where(small, 1.0, x))
    return with_slope(output, ratio.detach() * x)


def _halved(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return scale_gradient(output, 0.5)
