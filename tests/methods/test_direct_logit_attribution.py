import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bench.methods.context import TaskContext
from bench.methods.readout.direct_logit_attribution import (
    direct_logit_attribution,
    projections,
)


def test_parts_sum_to_the_centred_logit(tiny_context: TaskContext) -> None:
    """Sections and embeddings together give the behaviour of every prompt."""
    ctx = tiny_context
    trace = ctx.trace(ctx.prompts.clean)
    sections = direct_logit_attribution(ctx).per_prompt
    assert sections is not None
    embeddings = projections(ctx, trace, trace.embeddings[None])[0]

    total = sections.sum(axis=1) + embeddings.numpy()
    np.testing.assert_allclose(total, ctx.metric(trace.logits), rtol=1e-4, atol=1e-4)
    assert np.abs(sections).mean(axis=0).min() > 0.01


def test_equals_a_loop_in_float64(tiny_context: TaskContext) -> None:
    """Each write is normed and projected, site by site, by the definition."""
    ctx = tiny_context
    trace = ctx.trace(ctx.prompts.clean)
    weight = ctx.model.get_parameter("model.norm.weight")
    table = ctx.model.get_parameter("lm_head.weight").double()
    expected = np.zeros((3, 4))
    for p in range(3):
        for site, target in zip(
            ctx.prompts.sites[p].tolist(), ctx.prompts.targets[p].tolist(), strict=True
        ):
            residual = trace.states[-1][p, site].double()
            sigma = (residual @ residual / 16 + ctx.model.config.rms_norm_eps).sqrt()
            direction = table[target] - table.mean(dim=0)
            for s in range(4):
                write = trace.writes[s][p, site].double()
                expected[p, s] += float(write * weight / sigma @ direction) / 7

    found = direct_logit_attribution(ctx)

    assert found.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.values, expected.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("dropped", ["weight", "statistic"])
def test_the_norms_scale_matters(tiny_context: TaskContext, dropped: str) -> None:
    """Without the norm's weight or its statistic the answer is another one."""
    ctx = tiny_context
    trace = ctx.trace(ctx.prompts.clean)
    rows = torch.arange(3)[:, None]
    writes = torch.stack(trace.writes)[:, rows, ctx.prompts.sites]
    residual = trace.states[-1][rows, ctx.prompts.sites]
    if dropped == "weight":
        writes = writes / residual.pow(2).mean(dim=-1, keepdim=True).sqrt()
    else:
        writes = writes * ctx.model.get_parameter("model.norm.weight")
    table = ctx.subject.unembedding
    direction = table[ctx.prompts.targets] - table.mean(dim=0)
    without = (writes * direction).sum(dim=-1).mean(dim=(1, 2)).numpy()

    gap = direct_logit_attribution(ctx).values - without
    assert np.abs(gap).max() > 1e-3


def test_last_section_equals_removing_it(linear_context: TaskContext) -> None:
    """Without a final norm the last write's part is what its removal costs."""
    ctx = linear_context
    trace = ctx.trace(ctx.prompts.clean)
    without = (trace.states[-1] - trace.writes[-1]) @ ctx.subject.unembedding.T
    rows = torch.arange(3)[:, None]
    table = ctx.subject.unembedding
    direction = table[ctx.prompts.targets] - table.mean(dim=0)
    part = (trace.writes[-1][rows, ctx.prompts.sites] * direction).sum(-1).mean(-1)

    assert_close(
        part, ctx.metric(trace.logits) - ctx.metric(without), rtol=1e-3, atol=1e-3
    )
