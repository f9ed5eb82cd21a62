"""Information flow routes: which writes the last state is made of, followed down.

Going down from the copy sites, with all weight on them, a state y that is the sum of
parts z passes its weight on by

    share of z = max(norm1(y) - norm1(y - z), 0) / sum over parts

The parts of a state after an attention section are the state before it, and what each
earlier position gives through all heads; after an MLP section the state before it and
the write, which was computed from it. A section's attribution is the weight that passes
through its writes. Kind: write. Cost: one forward pass, and L P T^2 d for the parts.
Source: Ferrando and Voita 2024 (arXiv 2403.00824); weights flow along all routes here,
where the paper cuts them off at a threshold. Own implementation from the paper.
Known failure: closeness in the residual stream, whatever the behaviour reads from it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from bench.methods.attention.ov_copying import head_to_residual
from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.models.attention import HeadRun, observed_heads
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.trace import Trace
from bench.profiles.attribution import LayerAttribution


@method("information-flow-routes", kind="write", cost="1 F")
def information_flow_routes(ctx: TaskContext) -> LayerAttribution:
    """Follow the parts of the last state down the model."""
    return ctx.answer(torch.cat(ctx.by_rows(lambda rows: _flow(ctx.some(rows)))))


def _flow(ctx: TaskContext) -> Float[Tensor, "P S"]:
    model = ctx.subject
    with observed_heads(model) as heads, torch.no_grad():
        trace = run(model, ctx.prompts.clean)
    weight = ctx.prompts.site_mask[..., 0] / ctx.prompts.sites.shape[1]
    scores = torch.zeros(len(weight), model.n_sections, device=ctx.device)
    for block in reversed(range(len(model.blocks))):
        mlp = 2 * block + 1
        scores[:, mlp] = (weight * _mlp_share(trace, mlp)).sum(dim=1)
        flow = weight[:, :, None] * _attention_shares(model, trace, heads, block)
        scores[:, mlp - 1] = flow.sum(dim=(1, 2))
        weight = flow.sum(dim=1) + weight - flow.sum(dim=2)
    return scores


def _mlp_share(trace: Trace, section: int) -> Float[Tensor, "P T"]:
    parts = torch.stack([trace.writes[section], trace.point(section)])
    return shares(trace.states[section], parts)[0]


def _attention_shares(
    model: SubjectModel, trace: Trace, heads: list[HeadRun], block: int
) -> Float[Tensor, "P T T"]:
    """Return what each site owes to each position through this section."""
    section = 2 * block
    given = given_by_position(model, heads[block], block, trace.writes[section])
    after, before = trace.states[section], trace.point(section)
    parts = torch.cat([given.movedim(2, 0), before[None]])
    return shares(after, parts)[:-1].movedim(0, 2)


def given_by_position(
    model: SubjectModel,
    head: HeadRun,
    block: int,
    write: Float[Tensor, "P T d"],
) -> Float[Tensor, "P site position d"]:
    """Split an attention write into what each position gives to each site.

    Biases belong to no position and are left out.
    """
    outputs = head_to_residual(model, block)
    places = model.architecture
    norm_scale = 1.0
    if places.attention_write != places.attention_projection:
        # the norm's own statistic, which head_to_residual leaves at 1
        unscaled = torch.einsum("phij,phjk,hkd->pid", head.pattern, head.value, outputs)
        norm_scale = (write.norm(dim=-1) / unscaled.norm(dim=-1))[:, :, None, None]
    moved = torch.einsum("phjk,hkd->phjd", head.value, outputs)
    return norm_scale * torch.einsum("phij,phjd->pijd", head.pattern, moved)


def shares(
    whole: Float[Tensor, "*at d"], parts: Float[Tensor, "n ..."]
) -> Float[Tensor, "n ..."]:
    """Return each part's share of the whole by closeness; they sum to 1."""
    close = whole.norm(p=1, dim=-1) - (whole - parts).norm(p=1, dim=-1)
    close = close.clamp(min=0.0)
    total = close.sum(dim=0)
    return torch.where(total > 0, close / total, 1 / len(parts))
