"""Linear response: the reference's own measurement, exactly and on few sources.

    gain        how much the response grows over a section, relative to the residual
                after it, at the copy site in excess of the other copy sites
    composition how much of the final excess is lost when a section writes its mean

The response is the directional derivative of the residual stream as one source moves by
its own length in a random direction, by forward-mode differentiation. Both are oracles:
they measure what the reference measures, on the discovery prompts, and show how well a
method can score. Kind: write. Cost: 3 forward passes for each source, on both prompt
sets (gain) or for each section (composition).
Source: docs/decisions/0001-reference-protocol.md.
Known failure: none that the reference does not share.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.methods.ablation.others import mean_of_others
from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.edits import Edit, edit_rows, replace_write
from bench.models.linear_response import linear_response
from bench.profiles.attribution import LayerAttribution

SOURCES = 4
"""Sources for the gain."""
ABLATED_SOURCES = 1
"""Sources for the composition, where each costs as much for every section."""
Probes = list[tuple[int, Tensor]]
"""Numbers of probes, each with a unit vector for its source on every prompt, [P, d]."""
NEAR = 2
"""Sites this close behind the copy site are no controls."""


@method("linear-response", kind="write", cost="24 F", oracle=True)
def gain(ctx: TaskContext) -> LayerAttribution:
    """Measure how much response each section adds, on repeated and control prompts."""
    probes = _draw_probes(ctx, SOURCES)
    excess = _gains(ctx, ctx.prompts.clean, probes)
    return ctx.answer((excess - _gains(ctx, ctx.prompts.control, probes)).T)


@method("linear-response-ablation", kind="write", cost="3 (S + 1) F", oracle=True)
def composition(ctx: TaskContext) -> LayerAttribution:
    """Measure the final response with each write replaced by its mean."""
    probes = _draw_probes(ctx, ABLATED_SOURCES)
    trace = ctx.trace(ctx.prompts.clean)
    intact = _final_excess(ctx, probes, {})
    columns: list[Tensor] = []
    for section, write in enumerate(trace.writes):
        edits: dict[int, Edit] = {section: replace_write(mean_of_others(write))}
        columns.append(intact - _final_excess(ctx, probes, edits))
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1))


def _draw_probes(ctx: TaskContext, count: int) -> Probes:
    """Draw probes, and for each a direction to push the source of every prompt in."""
    n_prompts, n_probes = ctx.prompts.sources.shape
    order = torch.randperm(n_probes, generator=ctx.generator, device=ctx.device)
    shape = (min(count, n_probes), n_prompts, ctx.subject.unembedding.shape[1])
    pushes = torch.randn(
        shape, generator=ctx.generator, device=ctx.device, dtype=ctx.subject.dtype
    )
    pushes = pushes / pushes.norm(dim=-1, keepdim=True)
    return list(zip(order[:count].tolist(), pushes, strict=True))


def _gains(
    ctx: TaskContext, ids: Int[Tensor, "P T"], probes: Probes
) -> Float[Tensor, "S P"]:
    points = ctx.trace(ids).points[1:].norm(dim=-1)
    found = [
        _excess(ctx, _response(ctx, ids, probe, push, {}).diff(dim=0) / points, probe)
        for probe, push in probes
    ]
    return torch.stack(found).mean(dim=0)


def _final_excess(
    ctx: TaskContext, probes: Probes, edits: dict[int, Edit]
) -> Float[Tensor, " P"]:
    ids = ctx.prompts.clean
    last = ctx.trace(ids, edits=edits).states[-1].norm(dim=-1)
    found = [
        _excess(ctx, _response(ctx, ids, probe, push, edits)[-1:] / last, probe)[0]
        for probe, push in probes
    ]
    return torch.stack(found).mean(dim=0)


def _response(
    ctx: TaskContext,
    ids: Int[Tensor, "P T"],
    probe: int,
    push: Float[Tensor, "P d"],
    edits: dict[int, Edit],
) -> Float[Tensor, "points P T"]:
    """Push one source of every prompt by its length; return all responses' lengths."""
    start = ctx.subject.embed(ids)
    tangent = torch.zeros_like(start)
    every = torch.arange(len(ids), device=ctx.device)
    source = ctx.prompts.sources[:, probe]
    tangent[every, source] = push * start[every, source].norm(dim=-1, keepdim=True)
    parts = ctx.by_rows(
        lambda rows: linear_response(
            ctx.subject,
            ids[rows],
            embeddings=start[rows],
            tangent=tangent[rows],
            edits={s: edit_rows(edit, rows) for s, edit in edits.items()},
        ).norm(dim=-1)
    )
    return torch.cat(parts, dim=1)


def _excess(
    ctx: TaskContext, values: Float[Tensor, "n P T"], probe: int
) -> Float[Tensor, "n P"]:
    """Subtract the mean over other copy sites from the value at the probe's own."""
    sites = ctx.prompts.sites
    at_sites = values[:, torch.arange(len(sites), device=ctx.device)[:, None], sites]
    own = sites[:, probe, None]
    near = (sites >= own) & (sites <= own + NEAR)
    far = (~near).to(values)
    return at_sites[:, :, probe] - (at_sites * far).sum(-1) / far.sum(-1)
