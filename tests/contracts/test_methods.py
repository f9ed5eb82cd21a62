"""What every built-in method must hold, tested once for all of them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.methods.catalogue import built_in
from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.methods.protocol import Method
from bench.models.counting import forward_equivalents
from bench.models.subject import SubjectModel
from bench.profiles.attribution import LayerAttribution, as_writes, check_shape

WITHOUT_PROMPTS = {"ov-copying-score", "subnetwork-probing"}
"""One reads weights, the other learns one mask for all prompts."""


@pytest.fixture(params=sorted(built_in()))
def method(request: pytest.FixtureRequest) -> Method:
    """Each built-in method."""
    return find_method(request.param).method


@pytest.fixture
def run(tiny_context: TaskContext) -> Callable[..., LayerAttribution]:
    """Run a method with a fresh generator."""

    def answer(method: Method, *, seed: int = 0, **changes: object) -> LayerAttribution:
        generator = torch.Generator().manual_seed(seed)
        return method(replace(tiny_context, generator=generator, **changes))

    return answer


def test_answers(method: Method, run: Callable[..., LayerAttribution]) -> None:
    """Finite numbers that differ between sections; of each prompt, and their mean."""
    answer = run(method)
    check_shape(answer, n_sections=4)

    assert np.isfinite(answer.values).all()
    assert np.ptp(answer.values) > 1e-3 * np.abs(answer.values).max() > 0
    assert (answer.per_prompt is None) == (method.name in WITHOUT_PROMPTS)
    if answer.per_prompt is None:
        return
    assert answer.per_prompt.shape == (3, 4)
    assert np.ptp(answer.per_prompt, axis=0).max() > 0
    np.testing.assert_allclose(answer.per_prompt.mean(axis=0), answer.values)
    writes = as_writes(answer, kind=method.kind)
    assert writes.per_prompt is not None
    np.testing.assert_allclose(
        writes.per_prompt.mean(axis=0), writes.values, atol=1e-12
    )


def test_is_deterministic_for_a_seed(
    method: Method, run: Callable[..., LayerAttribution]
) -> None:
    """Two runs with the same seed agree to the last bit."""
    one, other = run(method), run(method)

    np.testing.assert_array_equal(one.values, other.values)
    if one.per_prompt is not None and other.per_prompt is not None:
        np.testing.assert_array_equal(one.per_prompt, other.per_prompt)


def test_draws_from_the_generator_alone(
    method: Method, run: Callable[..., LayerAttribution]
) -> None:
    """Torch's global generator is neither read nor moved."""
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = run(method)
    after = torch.get_rng_state()
    torch.manual_seed(2)
    other = run(method)

    assert after.equal(before)
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("at_once", [1, 2])
def test_batches_do_not_matter(
    method: Method, run: Callable[..., LayerAttribution], at_once: int
) -> None:
    """Prompts run one or two at a time give the same answer."""
    together, apart = run(method), run(method, at_once=at_once)

    largest = np.abs(together.values).max()
    np.testing.assert_allclose(
        apart.values, together.values, rtol=1e-3, atol=2e-4 * largest
    )


def snapshot(model: SubjectModel) -> Iterator[tuple[str, object]]:
    """List everything about a model that a method could leave changed."""
    yield "training", [m.training for m in model.module.modules()]
    yield "modules", [id(m) for m in model.module.modules()]
    yield (
        "hooks",
        [
            (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
            for m in model.module.modules()
        ],
    )
    yield "frozen", [p.requires_grad for p in model.module.parameters()]
    yield "gradients", [p.grad is None for p in model.module.parameters()]
    yield "weights", [p.double().sum().item() for p in model.module.parameters()]
    yield "attention", model.module.config._attn_implementation
    yield "gradient mode", torch.is_grad_enabled()


def test_leaves_nothing_behind(
    method: Method,
    tiny_context: TaskContext,
    run: Callable[..., LayerAttribution],
) -> None:
    """No hooks, no changed weights, no other mode."""
    before = dict(snapshot(tiny_context.subject))
    run(method)

    assert dict(snapshot(tiny_context.subject)) == before


READ = 0.1
"""An unembedding of this model, in forward passes with logits, which are counted."""
F, B = 1 - READ, 1.1 * (1 - READ)
"""Passes through the blocks. Weights are frozen, and matrices that need gradients on
both sides, as in attention, count twice."""
SWEEP, LATE = 4 / 2, 4 / 4
"""Passes of a sweep over four sections, each from its own place on, at all positions
and in the second half of a prompt."""

COST = {
    "activation-patching-denoising": (2 + LATE) * F,
    "activation-patching-noising": (2 + LATE) * F,
    "activation-patching-sources-denoising": (3 + SWEEP) * F,
    "activation-patching-sources-noising": (3 + SWEEP) * F,
    "atp-star": 2 * F + 2 * (F + B),
    "attn-lrp": F + B,
    "attribution-patching": 2 * F + B,
    "attribution-patching-noising": 2 * F + B,
    "causal-tracing": (1 + 5 * (1 + LATE)) * F + 5 * 5 / 2 * READ,
    "direct-logit-attribution": F,
    "eap-ig": 2 * F + 8 * (F + B),
    "eap-ig-activations": 2 * F + 5 * SWEEP * (F + B),
    "eap-layer-in": 2 * F + B,
    "eap-layer-in-absolute": 2 * F + B,
    "eap-layer-out-absolute": 2 * F + B,
    "gim": 2 * F + B,
    "gradient-norm": F + B,
    "gradient-x-activation": F + B,
    "hisp": F + B,
    "information-flow-routes": 1.5 * F,
    "layer-conductance": 16 * (2 * F + B) + 2 * F,
    "layer-integrated-gradients": 2 * F + 5 * LATE * (F + B),
    "linear-response": (2 * 4 * 3 + 2) * F,
    "linear-response-ablation": (3 * 5 + 6) * F,
    "logit-lens": F,
    "mean-ablation": (1 + SWEEP) * F,
    "optimal-ablation": F + SWEEP * (7 * F + 6 * B),
    "path-patching-direct": 2 * F,
    "prefix-matching-score": F,
    "relp": 2 * F + B,
    "resample-ablation": (1 + SWEEP) * F,
    "write-patching-denoising": (2 + SWEEP) * F,
    "write-patching-noising": (2 + SWEEP) * F,
    "zero-ablation": (1 + SWEEP) * F,
}
"""By hand for four sections. Left out is what depends on more than sections: those that
learn on a share of the prompts, and the one that runs the vocabulary."""


@pytest.mark.parametrize("name", sorted(COST))
def test_cost_is_as_declared(name: str, tiny_context: TaskContext) -> None:
    """What is counted is what the method's cost says for S = 4."""
    method = find_method(name).method

    counted = forward_equivalents(
        tiny_context.subject, tiny_context.prompts, lambda: method(tiny_context)
    )

    assert counted == pytest.approx(COST[name], rel=0.2)
