# /// script
# dependencies = ["nnsight>=0.8,<0.9"]
# ///
"""Zero ablation of a Llama in nnsight."""

import torch

from bench.adapters.nnsight import from_nnsight


def silenced(model, ctx):
    """Measure the behaviour lost when a section writes nothing."""
    whole = ctx.metric_of(ctx.trace(ctx.prompts.clean))
    columns = []
    for layer in model.model.layers:
        for part in (layer.self_attn.o_proj, layer.mlp.down_proj):
            with torch.no_grad(), model.trace(input_ids=ctx.prompts.clean):
                part.output[:] = 0
                logits = model.output.logits.save()
            columns.append(whole - ctx.metric(logits))
    return torch.stack(columns, dim=1)


sight = from_nnsight("silenced", silenced, kind="write")
