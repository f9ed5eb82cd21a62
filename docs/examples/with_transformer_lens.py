# /// script
# dependencies = ["transformer-lens>=4.3,<4.4"]
# ///
"""Direct logit attribution without the final norm, in TransformerLens."""

import torch

from bench.adapters.transformer_lens import from_transformer_lens


def toward_target(bridge, ctx):
    """Project writes at the copy sites on the unembedding of the correct tokens."""
    _, cache = bridge.run_with_cache(ctx.prompts.clean)
    rows = torch.arange(len(ctx.prompts), device=ctx.device)[:, None]
    wanted = ctx.subject.unembedding[ctx.prompts.targets]  # [prompts, sites, d]
    names = [
        f"blocks.{block}.{hook}"
        for block in range(len(ctx.subject.blocks))
        for hook in ("hook_attn_out", "hook_mlp_out")
    ]
    columns = [(cache[n][rows, ctx.prompts.sites] * wanted).sum((1, 2)) for n in names]
    return torch.stack(columns, dim=1)


lens = from_transformer_lens("toward-target", toward_target, kind="write")
