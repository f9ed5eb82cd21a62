"""What methods do, by this package and by whole runs with another engine.

Shapes: P prompts, S sections, T positions, d width.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from captum.attr import LayerGradientXActivation
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients.attribution_patching import attribution_patching
from bench.methods.gradients.eap_ig import STEPS, eap_ig
from bench.methods.patching.activation_patching import denoising as state_patching
from bench.methods.patching.write_patching import denoising as write_patching
from bench.methods.protocol import Method
from bench.models.edits import Edit, patch_state, replace_write
from tests.benchmarks.speed.engines import Forward, Ran

Edits = Callable[[Ran, int], Edit]
"""(clean run, section) -> what is put into the corrupt run."""


def ours(method: Method) -> Callable[[TaskContext], Tensor]:
    """Return a method's answers for each prompt, [P, S]."""

    def work(ctx: TaskContext) -> Tensor:
        found = method(ctx).per_prompt
        assert found is not None
        return torch.from_numpy(found)

    return work


def rival_sweep(ctx: TaskContext, forward: Forward, edits: Edits) -> Tensor:
    """Patch every section in turn, one whole run for each, [P, S]."""
    prompts = ctx.prompts
    still = torch.zeros(())
    clean, corrupt = (forward(x, still, {}) for x in (prompts.clean, prompts.corrupt))
    before = ctx.metric(corrupt.logits)
    gained = [
        ctx.metric(forward(prompts.corrupt, still, {s: edits(clean, s)}).logits)
        - before
        for s in range(ctx.n_sections)
    ]
    gap = (ctx.metric(clean.logits) - before).mean()
    return torch.stack(gained, dim=1) / gap


def rival_state_patching(ctx: TaskContext, forward: Forward) -> Tensor:
    """Restore the state at the copy sites, section by section."""
    mask = ctx.prompts.site_mask
    return rival_sweep(
        ctx, forward, lambda clean, s: patch_state(clean.points[s + 1], mask)
    )


def rival_write_patching(ctx: TaskContext, forward: Forward) -> Tensor:
    """Restore the write at every position, section by section."""
    return rival_sweep(ctx, forward, lambda clean, s: replace_write(clean.writes[s]))


Gradients = Callable[[TaskContext, Forward, Tensor, Tensor], tuple[Ran, Tensor]]
"""(context, engine, ids, change of embeddings) -> run, gradients [S, P, T, d]."""


def by_autograd(
    ctx: TaskContext, forward: Forward, ids: Tensor, change: Tensor
) -> tuple[Ran, Tensor]:
    """Run with a graph and differentiate with respect to every write."""
    ran = forward(ids, change.detach().requires_grad_(), {})
    found = torch.autograd.grad(ctx.metric(ran.logits).sum(), ran.writes)
    return ran, torch.stack(found)


def by_captum(
    ctx: TaskContext, forward: Forward, ids: Tensor, change: Tensor
) -> tuple[Ran, Tensor]:
    """Let captum run and differentiate; it returns no writes, which take a run more."""
    module, layers = ctx.subject.module, list(ctx.subject.section_modules)
    embed = cast(torch.nn.Embedding, module.get_input_embeddings())

    def behaviour(inputs: Tensor) -> Tensor:
        return ctx.metric(module(inputs_embeds=inputs, use_cache=False).logits)

    # captum takes several layers; its annotation knows one
    gradient = LayerGradientXActivation(
        behaviour, cast(Any, layers), multiply_by_inputs=False
    )
    found = gradient.attribute((embed(ids) + change).requires_grad_())
    return forward(ids, change.detach(), {}), torch.stack(cast(list[Tensor], found))


def difference(clean: Ran, corrupt: Ran) -> Tensor:
    """Return how writes differ, [S, P, T, d]."""
    return torch.stack(clean.writes) - torch.stack(corrupt.writes).detach()


def rival_attribution_patching(
    ctx: TaskContext, forward: Forward, gradients: Gradients = by_autograd
) -> Tensor:
    """Two runs and one backward pass."""
    still = torch.zeros_like(ctx.subject.embed(ctx.prompts.corrupt))
    clean = forward(ctx.prompts.clean, torch.zeros(()), {})
    corrupt, found = gradients(ctx, forward, ctx.prompts.corrupt, still)
    return (difference(clean, corrupt) * found).sum(dim=(2, 3)).T


def rival_eap_ig(
    ctx: TaskContext, forward: Forward, gradients: Gradients = by_autograd
) -> Tensor:
    """Two runs, and a run and a backward pass for each step."""
    still = torch.zeros(())
    clean = forward(ctx.prompts.clean, still, {})
    corrupt = forward(ctx.prompts.corrupt, still, {})
    way = corrupt.points[0] - clean.points[0]
    total = torch.zeros(())
    for step in range(STEPS):
        left = 1 - (step + 0.5) / STEPS
        _, found = gradients(ctx, forward, ctx.prompts.clean, left * way)
        total = total + found / STEPS
    return (difference(clean, corrupt) * total).sum(dim=(2, 3)).T


METHODS: dict[str, tuple[Method, Callable[[TaskContext, Forward], Tensor]]] = {
    "activation patching": (state_patching, rival_state_patching),
    "write patching": (write_patching, rival_write_patching),
    "attribution patching": (attribution_patching, rival_attribution_patching),
    "EAP-IG": (eap_ig, rival_eap_ig),
}
"""Work to the method here and the same by another engine."""

CAPTUM: dict[str, Callable[[TaskContext, Forward], Tensor]] = {
    "attribution patching": partial(rival_attribution_patching, gradients=by_captum),
    "EAP-IG": partial(rival_eap_ig, gradients=by_captum),
}
"""The same where captum has a part of it: gradients at several layers."""
