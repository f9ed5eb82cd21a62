"""captum, an implementation of others, on gradients taken by its own hooks.

The model is run as transformers has it, the behaviour is a weighted sum of logits, and
captum hooks the modules: the output of a projection for a write, what enters the next
norm, or leaves the block, for a state.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from captum import attr
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients import path
from bench.methods.gradients.attribution_patching import attribution_patching, noising
from bench.methods.gradients.eap_ig import STEPS, eap_ig, eap_ig_activations
from bench.methods.gradients.gradient import gradient_norm, gradient_x_activation
from bench.methods.gradients.layer_conductance import STEPS as CONDUCTANCE_STEPS
from bench.methods.gradients.layer_conductance import conductance, layer_conductance
from bench.methods.gradients.layer_integrated_gradients import (
    layer_integrated_gradients,
)
from bench.methods.gradients.path import POINTS
from bench.methods.patching.activation_patching import denoising
from bench.methods.protocol import Method
from tests.oracles.comparison import assert_equal

Forward = Callable[..., Tensor]
Attribution = Callable[..., attr.LayerAttribution]

GRADIENT = partial(attr.LayerGradientXActivation, multiply_by_inputs=False)
OWN_PATH = {"n_steps": POINTS, "method": "gausslegendre"}


def weights(ctx: TaskContext, vocabulary: int) -> Tensor:
    """Write the behaviour as a linear function of each prompt's logits; [P, T, vocab].

    Each copy site has its share of 1 at the correct token, and takes it away evenly.
    """
    prompts = ctx.prompts
    share = 1 / prompts.sites.shape[1]
    found = torch.zeros(*prompts.clean.shape, vocabulary)
    for number in range(len(prompts)):
        pairs = zip(prompts.sites[number], prompts.sources[number], strict=True)
        for site, source in pairs:
            found[number, site, prompts.clean[number, source]] += share
            found[number, site] -= share / vocabulary
    return found


def behaviour(logits: Tensor, ctx: TaskContext, numbers: Tensor) -> Tensor:
    """Measure the behaviour on rows that belong to the prompts of these numbers."""
    return (logits * weights(ctx, logits.shape[-1])[numbers]).sum(dim=(1, 2))


@pytest.fixture
def forward(tiny_context: TaskContext) -> Forward:
    """The behaviour on each row, as a function of embeddings."""

    def run(embeddings: Tensor, numbers: Tensor) -> Tensor:
        output = tiny_context.model(inputs_embeds=embeddings, use_cache=False)
        return behaviour(output.logits, tiny_context, numbers)

    return run


def embedded(ctx: TaskContext, ids: Tensor) -> Tensor:
    """Look embeddings up."""
    return ctx.model.get_input_embeddings()(ids).requires_grad_()


def numbers(ctx: TaskContext) -> Tensor:
    """Number the prompts."""
    return torch.arange(len(ctx.prompts))


def over_writes(
    make: Attribution,
    forward: Forward,
    ctx: TaskContext,
    ids: Tensor,
    **options: object,
) -> Tensor:
    """Attribute to the output of every projection; [S, P, T, d]."""
    inputs, rows = embedded(ctx, ids), numbers(ctx)
    return torch.stack(
        [
            make(forward, module).attribute(
                inputs, additional_forward_args=rows, **options
            )
            for module in ctx.subject.section_modules
        ]
    ).detach()


def over_states(
    make: Attribution,
    forward: Forward,
    ctx: TaskContext,
    ids: Tensor,
    **options: object,
) -> Tensor:
    """Attribute to what enters the MLP's norm, then to what leaves the block."""
    inputs, rows, found = embedded(ctx, ids), numbers(ctx), []
    for block in ctx.subject.blocks:
        norm = block.get_submodule("post_attention_layernorm")
        for module, at_input in ((norm, True), (block, False)):
            layer = make(forward, module)
            found.append(
                layer.attribute(
                    inputs,
                    additional_forward_args=rows,
                    attribute_to_layer_input=at_input,
                    **options,
                )
            )
    return torch.stack(found).detach()


def contrast(forward: Forward, ctx: TaskContext) -> Tensor:
    """Subtract what is written on the corrupt prompts, as captum reads it."""
    clean, corrupt = (
        over_writes(attr.LayerActivation, forward, ctx, ids)
        for ids in (ctx.prompts.clean, ctx.prompts.corrupt)
    )
    return clean - corrupt


def at_sites(found: Tensor, ctx: TaskContext) -> Tensor:
    """Sum over copy sites and width; [P, S]."""
    rows = numbers(ctx)[:, None]
    return found[:, rows, ctx.prompts.sites].sum(dim=(2, 3)).T


def test_gradient_x_activation(forward: Forward, tiny_context: TaskContext) -> None:
    """LayerGradientXActivation at the copy sites."""
    ctx = tiny_context
    found = over_states(attr.LayerGradientXActivation, forward, ctx, ctx.prompts.clean)

    assert_equal(gradient_x_activation(ctx).per_prompt, at_sites(found, ctx))


def test_gradient_norm(forward: Forward, tiny_context: TaskContext) -> None:
    """The lengths of the same class's gradients, the mean over copy sites."""
    ctx = tiny_context
    found = over_states(GRADIENT, forward, ctx, ctx.prompts.clean).norm(dim=3)
    expected = at_sites(found[..., None], ctx) / ctx.prompts.sites.shape[1]

    assert_equal(gradient_norm(ctx).per_prompt, expected)


@pytest.mark.parametrize(
    ("method", "where"), [(attribution_patching, "corrupt"), (noising, "clean")]
)
def test_attribution_patching(
    forward: Forward, tiny_context: TaskContext, method: Method, where: str
) -> None:
    """The gradient at one run, times the difference of LayerActivation at both."""
    ctx = tiny_context
    gradients = over_writes(GRADIENT, forward, ctx, getattr(ctx.prompts, where))
    expected = (contrast(forward, ctx) * gradients).sum(dim=(2, 3)).T

    assert_equal(method(ctx).per_prompt, expected)


def test_eap_ig(forward: Forward, tiny_context: TaskContext) -> None:
    """InternalInfluence along the inputs' path, at the same midpoints, times change."""
    ctx = tiny_context
    influence = over_writes(
        attr.InternalInfluence,
        forward,
        ctx,
        ctx.prompts.clean,
        baselines=embedded(ctx, ctx.prompts.corrupt),
        n_steps=STEPS,
        method="riemann_middle",
    )
    expected = (contrast(forward, ctx) * influence).sum(dim=(2, 3)).T

    assert_equal(eap_ig(ctx).per_prompt, expected)


def test_eap_ig_activations(forward: Forward, tiny_context: TaskContext) -> None:
    """LayerIntegratedGradients on projections, from clean to corrupt, turned round.

    captum leaves the rest of the run as it is on its inputs, here on its baselines: so
    the corrupt prompts are the inputs, and the sign is the other one.
    """
    ctx = tiny_context
    found = over_writes(
        attr.LayerIntegratedGradients,
        forward,
        ctx,
        ctx.prompts.corrupt,
        baselines=embedded(ctx, ctx.prompts.clean),
        **OWN_PATH,
    )

    assert_equal(eap_ig_activations(ctx).per_prompt, -found.sum(dim=(2, 3)).T)


def state_at_sites(ctx: TaskContext, section: int) -> Forward:
    """The behaviour of the corrupt run as a function of the state at the copy sites.

    captum's layer class would move the state at all positions; here its inputs are the
    copy sites' alone.
    """
    residual = ctx.trace(ctx.prompts.corrupt).point(section)
    module = ctx.subject.section_modules[section]

    def run(states: Tensor, rows: Tensor) -> Tensor:
        sites, each = ctx.prompts.sites[rows], torch.arange(len(rows))[:, None]
        writes = states - residual[rows[:, None], sites]
        place = (each, sites)
        handle = module.register_forward_hook(
            lambda _module, _inputs, output: output.index_put(place, writes)
        )
        try:
            output = ctx.model(input_ids=ctx.prompts.corrupt[rows], use_cache=False)
        finally:
            handle.remove()
        return behaviour(output.logits, ctx, rows)

    return run


def integrated(ctx: TaskContext, **options: Any) -> Tensor:
    """Integrate from corrupt to clean states as captum does; [P, S]."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    rows, columns = numbers(ctx), []
    place = (rows[:, None], ctx.prompts.sites)
    for section in range(ctx.n_sections):
        found = attr.IntegratedGradients(state_at_sites(ctx, section)).attribute(
            clean.states[section][place],
            corrupt.states[section][place],
            additional_forward_args=rows,
            **options,
        )
        columns.append(found.sum(dim=(1, 2)))
    return torch.stack(columns, dim=1)


def test_layer_integrated_gradients(tiny_context: TaskContext) -> None:
    """IntegratedGradients of the state at the copy sites, by the same quadrature."""
    found = layer_integrated_gradients(tiny_context)

    assert_equal(found.per_prompt, integrated(tiny_context, **OWN_PATH))


def test_integrated_gradients_add_up_to_patching(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many points, ours and captum's are M(r; h <- h of c) - M(r)."""
    ctx = tiny_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    patched = denoising(ctx).per_prompt
    assert patched is not None
    effect = torch.tensor(patched) * float(ctx.gap(clean, corrupt))
    monkeypatch.setattr(path, "nodes", partial(path.nodes, 64))

    assert_equal(layer_integrated_gradients(ctx).per_prompt, effect)
    assert_equal(integrated(ctx, n_steps=64).double().numpy(), effect)


def trapezoid(forward: Forward, ctx: TaskContext, steps: int) -> Tensor:
    """Average captum's conductance from corrupt to clean and back, turned round.

    captum takes the gradient at the beginning of each step: on the way back that is the
    end of the step on the way there.
    """
    ways = []
    for here, there in (("clean", "corrupt"), ("corrupt", "clean")):
        ways.append(
            over_states(
                attr.LayerConductance,
                forward,
                ctx,
                getattr(ctx.prompts, here),
                baselines=embedded(ctx, getattr(ctx.prompts, there)),
                n_steps=steps,
                method="riemann_trapezoid",
            )
        )
    return ((ways[0] - ways[1]) / 2).sum(dim=3)


def test_conductance(forward: Forward, tiny_context: TaskContext) -> None:
    """LayerConductance at every state and position, both at many steps."""
    found = conductance(tiny_context, steps=128).double().numpy()

    assert_equal(found, trapezoid(forward, tiny_context, 256))


def test_layer_conductance(tiny_context: TaskContext) -> None:
    """What is answered is the conductance of the copy sites, added up."""
    ctx = tiny_context
    found = conductance(ctx, steps=CONDUCTANCE_STEPS)[..., None]

    assert_equal(layer_conductance(ctx).per_prompt, at_sites(found, ctx))


def test_conductance_adds_up_to_the_whole(tiny_context: TaskContext) -> None:
    """Over all positions it is M(c) - M(r), at every depth and on every prompt.

    Twice the steps leave a quarter of the error.
    """
    ctx = tiny_context
    clean, corrupt = (
        ctx.metric_of(ctx.trace(ids))
        for ids in (ctx.prompts.clean, ctx.prompts.corrupt)
    )
    whole = clean - corrupt
    sums = [conductance(ctx, steps=n).sum(dim=2) for n in (64, 128)]
    errors = [float((found - whole).abs().max()) for found in sums]

    assert whole.abs().min() > 0.01
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)
    assert_equal((4 * sums[1] - sums[0]).numpy() / 3, whole.expand_as(sums[0]))
