"""Prefix-matching score: attention from a copy site to the token it must copy.

    max over heads of the mean over probes of A[copy site, source]

for attention sections, 0 for MLP sections. Kind: write. Cost: one forward pass.
Source: Olsson et al. 2022 (arXiv 2209.11895), who average over heads of interest; the
maximum stands for the section because one head is enough to move the information.
Known failure: says where a section looks, not what it writes or whether that is used.
"""

import torch

from bench.methods.context import TaskContext
from bench.methods.protocol import method
from bench.profiles.attribution import LayerAttribution


@method("prefix-matching-score", kind="write", cost="1 F")
def prefix_matching_score(ctx: TaskContext) -> LayerAttribution:
    """Read the attention from copy sites to sources."""
    patterns = ctx.attention(ctx.prompts.clean)
    rows = torch.arange(len(ctx.prompts), device=ctx.device)[:, None]
    pairs = patterns.transpose(0, 1)[rows, :, :, ctx.prompts.sites, ctx.prompts.sources]
    by_head = pairs.mean(dim=1)  # [P, K, L, heads] -> [P, L, heads]
    # one head for all prompts: a maximum for each prompt would favour noise
    best = by_head.mean(dim=0).argmax(dim=1)
    by_block = by_head[:, torch.arange(len(best)), best]
    nothing = torch.zeros_like(by_block)
    return ctx.answer(torch.stack([by_block, nothing], dim=2).flatten(1))
