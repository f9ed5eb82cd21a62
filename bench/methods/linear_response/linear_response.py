"""Linear response: the reference's own measurement, exactly and on few sources.

    gain        how much the response grows over a section, relative to the residual
                after it, at the copy site in excess of the other copy sites
    composition the share of the final excess lost when a section writes its mean

The response is the directional derivative of the residual stream as one source moves
towards another token, by forward-mode differentiation. Both are oracles: they measure
what the reference measures, on the discovery prompts, and show how well a method can
score. Kind: write. Cost: 3 forward passes for each source, on both prompt sets (gain)
or for each section (composition). Source: docs/decisions/0001-reference-protocol.md.
Known failure: none that the reference does not share.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.errors import MethodError
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
    if not intact.mean() > 0:
        raise MethodError("Copy sites do not respond in excess of others.")
    columns: list[Tensor] = []
    for section, write in enumerate(trace.writes):
        edits: dict[int, Edit] = {section: replace_write(mean_of_others(write))}
        columns.append(intact - _final_excess(ctx, probes, edits))
        ctx.progress(section + 1, ctx.n_sections)
    return ctx.answer(torch.stack(columns, dim=1) / intact.mean())


def _draw_probes(ctx: TaskContext, count: int) -> list[int]:
    n_probes = ctx.prompts.sources.shape[1]
    order = torch.randperm(n_probes, generator=ctx.generator, device=ctx.device)
    return order[:count].tolist()


def _gains(
    ctx: TaskContext, ids: Int[Tensor, "P T"], probes: list[int]
) -> Float[Tensor, "S P"]:
    points = ctx.trace(ids).points[1:].norm(dim=-1)
    found = [
        _excess(ctx, response.diff(dim=0) / points, probe)
        for probe in probes
        for response in [_response(ctx, ids, probe, {})]
    ]
    return torch.stack(found).mean(dim=0)


def _final_excess(
    ctx: TaskContext, probes: list[int], edits: dict[int, Edit]
) -> Float[Tensor, " P"]:
    ids = ctx.prompts.clean
    last = ctx.trace(ids, edits=edits).states[-1].norm(dim=-1)
    found = [
        _excess(ctx, (_response(ctx, ids, probe, edits)[-1] / last)[None], probe)[0]
        for probe in probes
    ]
    return torch.stack(found).mean(dim=0)


def _response(
    ctx: TaskContext, ids: Int[Tensor, "P T"], probe: int, edits: dict[int, Edit]
) -> Float[Tensor, "points P T"]:
    """Move one source of every prompt towards the next prompt's; return all lengths."""
    others = ctx.subject.embed(ctx.prompts.corrupt)
    parts = ctx.by_rows(
        lambda rows: _response_of(
            ctx.some(rows),
            ids[rows],
            others[rows],
            probe,
            {s: edit_rows(edit, rows) for s, edit in edits.items()},
        )
    )
    return torch.cat(parts, dim=1)


def _response_of(
    ctx: TaskContext,
    ids: Int[Tensor, "P T"],
    others: Float[Tensor, "P T d"],
    probe: int,
    edits: dict[int, Edit],
) -> Float[Tensor, "points P T"]:
    start = ctx.subject.embed(ids)
    response = linear_response(
        ctx.subject,
        ids,
        embeddings=start,
        tangent=_tangent(ctx, start, others, probe),
        edits=edits,
    )
    return response.norm(dim=-1)


def _tangent(
    ctx: TaskContext,
    start: Float[Tensor, "P T d"],
    others: Float[Tensor, "P T d"],
    probe: int,
) -> Float[Tensor, "P T d"]:
    """Point from the source's embedding to the corrupt token's, as unit vector."""
    rows = torch.arange(len(start), device=ctx.device)
    source = ctx.prompts.sources[:, probe]
    towards = others[rows, source] - start[rows, source]
    tangent = torch.zeros_like(start)
    tangent[rows, source] = towards / towards.norm(dim=-1, keepdim=True)
    return tangent


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
