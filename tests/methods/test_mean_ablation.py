import numpy as np
import torch
from torch import Tensor

from bench.methods.ablation.mean import mean_ablation
from bench.methods.context import TaskContext
from bench.models.behaviour import centred_logit


def test_equals_plain_hooks_and_loops(tiny_context: TaskContext) -> None:
    """The drop of the behaviour with outputs replaced by the other prompts' mean."""
    ctx = tiny_context
    ids = ctx.prompts.clean
    intact = centred_logit(ctx.model(ids).logits, ctx.prompts)
    found = mean_ablation(ctx)
    assert found.per_prompt is not None

    for section, module in enumerate(ctx.subject.section_modules):

        def average(_module: object, _inputs: object, output: Tensor) -> Tensor:
            replaced = torch.zeros_like(output)
            for p in range(3):
                others = [output[q] for q in range(3) if q != p]
                replaced[p] = (others[0] + others[1]) / 2
            return replaced

        handle = module.register_forward_hook(average)
        ablated = centred_logit(ctx.model(ids).logits, ctx.prompts)
        handle.remove()
        drop = (intact - ablated).numpy()
        assert np.abs(drop).max() > 0.01
        np.testing.assert_allclose(found.per_prompt[:, section], drop, atol=1e-4)
        assert abs(found.values[section] - drop.mean()) < 1e-4


def test_pooling_over_positions_matters(tiny_context: TaskContext) -> None:
    """A mean over positions, too, would give another answer."""
    ctx = tiny_context
    trace = ctx.trace(ctx.prompts.clean)
    intact = ctx.edited_metric(ctx.prompts.clean, {})
    pooled = []
    for section, write in enumerate(trace.writes):
        mean = write.mean(dim=(0, 1))

        def edit(write: Tensor, _residual: Tensor, mean: Tensor = mean) -> Tensor:
            return mean.expand_as(write)

        pooled.append(
            float(
                (intact - ctx.edited_metric(ctx.prompts.clean, {section: edit})).mean()
            )
        )

    assert np.abs(mean_ablation(ctx).values - pooled).max() > 0.01


def test_equal_prompts_lose_nothing(tiny_context: TaskContext) -> None:
    """Where all prompts write the same, their mean changes nothing."""
    from dataclasses import replace

    same = tiny_context.prompts.clean[:1].expand(3, -1)
    prompts = replace(tiny_context.prompts, clean=same)

    found = mean_ablation(replace(tiny_context, prompts=prompts))

    np.testing.assert_allclose(found.values, np.zeros(4), atol=1e-4)
