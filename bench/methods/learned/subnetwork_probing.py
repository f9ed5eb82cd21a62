"""Subnetwork probing: learn which sections may be switched to the corrupt run.

Each section has a gate g in [0, 1] and writes g w of c + (1 - g) w of r, with c the
clean and r the corrupt run. Gates follow hard-concrete distributions, whose parameters
minimise

    KL(model || gated model) + price * mean probability of an open gate

at the copy sites, with the price KL(model || corrupt run): all gates open then cost as
much as all gates shut. Adam takes STEPS steps on a quarter of the prompts each. The
attribution is the probability that a gate is open. Kind: write. Cost: 2 F + STEPS / 4
(F + B). There is one mask for all prompts, so that there is nothing per prompt.
Source: Cao et al. 2021 (arXiv 2104.03514); hard-concrete gates: Louizos et al. 2018
(1712.01312). Gates of sections here, of heads and neurons there.
Known failure: nearly 0 or 1, it says whether and not how much; of two redundant
sections it keeps either.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.behaviour import at_positions
from bench.models.edits import Edit, RowEdit
from bench.models.run import run
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution

STEPS = 150
BATCH = 1 / 4
"""Share of the prompts in a step."""
RATE = 0.1
TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
"""Of the hard-concrete distribution, as published."""
START = 2.0
"""Open with a probability of 0.97."""
CLOSED = TEMPERATURE * math.log(-LOW / HIGH)


@method("subnetwork-probing", kind="write", cost="2 F + 150/4 (F + B)")
def subnetwork_probing(ctx: TaskContext) -> LayerAttribution:
    """Learn a gate for each section."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    every = torch.arange(len(ctx.prompts), device=ctx.device)
    price = _divergence(ctx, clean, corrupt, every)
    logits = torch.full((ctx.n_sections,), START, device=ctx.device).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=RATE)
    for step in range(STEPS):
        chosen = torch.randperm(
            len(ctx.prompts), generator=ctx.generator, device=ctx.device
        )[: max(1, int(BATCH * len(ctx.prompts)))]
        gated = _gated_run(ctx, corrupt, _draw(ctx, logits), chosen)
        loss = _divergence(ctx, clean, gated, chosen)
        loss = loss + price * open_probability(logits).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        ctx.progress(step + 1, STEPS)
    values = open_probability(logits.detach()).double().cpu().numpy()
    return LayerAttribution(values=values)


def open_probability(logits: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """Return the probability that each gate is not shut."""
    return torch.sigmoid(logits - CLOSED)


def _draw(ctx: TaskContext, logits: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """Draw gates from their hard-concrete distributions, differentiably."""
    noise = torch.rand(len(logits), generator=ctx.generator, device=ctx.device)
    noise = noise.clamp(1e-6, 1 - 1e-6)
    soft = torch.sigmoid((torch.logit(noise) + logits) / TEMPERATURE)
    return (soft * (HIGH - LOW) + LOW).clamp(0.0, 1.0)


def _gated_run(
    ctx: TaskContext,
    corrupt: Trace,
    gates: Float[Tensor, " S"],
    chosen: Int[Tensor, " batch"],
) -> Trace:
    edits = {s: _gated(gates[s], w[chosen]) for s, w in enumerate(corrupt.writes)}
    return run(ctx.subject, ctx.prompts.clean[chosen], edits=edits)


def _divergence(
    ctx: TaskContext, clean: Trace, other: Trace, chosen: Int[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """Compare predictions at the chosen prompts' copy sites with the model's own."""
    sites = ctx.prompts.sites[chosen]
    own = clean.unembed(at_positions(clean.normed[chosen], sites)).log_softmax(dim=-1)
    found = other.unembed(at_positions(other.normed, sites)).log_softmax(dim=-1)
    return (own.exp() * (own - found)).sum(dim=-1).mean()


def _gated(gate: Float[Tensor, ""], other: Float[Tensor, "batch T d"]) -> Edit:
    return RowEdit(lambda write, _r, v: gate * write + (1 - gate) * v, (other,))
