from dataclasses import replace

import numpy as np
import torch

from bench.methods.context import TaskContext
from bench.methods.gradients.attribution_patching import attribution_patching
from bench.methods.write_difference import write_difference
from bench.models.behaviour import PromptBatch
from bench.models.edits import replace_write


def patched_writes(ctx: TaskContext) -> np.ndarray:
    """Put one clean write at a time into the corrupt run, at all positions."""
    clean = ctx.trace(ctx.prompts.clean)
    before = ctx.edited_metric(ctx.prompts.corrupt, {})
    columns = [
        ctx.edited_metric(ctx.prompts.corrupt, {section: replace_write(write)}) - before
        for section, write in enumerate(clean.writes)
    ]
    return torch.stack(columns, dim=1).double().numpy()


def swapped(ctx: TaskContext) -> TaskContext:
    """Take clean prompts for corrupt ones and the reverse, with the same targets."""

    class Swapped(PromptBatch):
        @property
        def targets(self) -> torch.Tensor:
            return ctx.prompts.targets

    return replace(
        ctx,
        prompts=Swapped(
            clean=ctx.prompts.corrupt,
            corrupt=ctx.prompts.clean,
            control=ctx.prompts.control,
            sources=ctx.prompts.sources,
            sites=ctx.prompts.sites,
        ),
    )


def test_equals_patching_on_a_linear_model(linear_context: TaskContext) -> None:
    """Where everything is linear the first order is all there is."""
    found = attribution_patching(linear_context)
    expected = patched_writes(linear_context)

    assert np.abs(expected).mean(axis=0).min() > 0.01
    assert found.per_prompt is not None
    np.testing.assert_allclose(found.per_prompt, expected, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(found.values, expected.mean(axis=0), atol=1e-3)


def test_differs_from_patching_on_a_model(tiny_context: TaskContext) -> None:
    """On a real block the first order is only that."""
    gap = attribution_patching(tiny_context).values - patched_writes(tiny_context).mean(
        axis=0
    )

    assert np.abs(gap).max() > 0.01


def test_equals_small_steps_of_writes(tiny_context: TaskContext) -> None:
    """It is the slope of the behaviour as the corrupt write moves to the clean one."""
    ctx, step = tiny_context, 1e-2
    corrupt = ctx.trace(ctx.prompts.corrupt)
    change = write_difference(ctx.trace(ctx.prompts.clean), corrupt)
    found = attribution_patching(ctx).per_prompt
    assert found is not None

    for section, write in enumerate(corrupt.writes):
        ahead, behind = (
            ctx.edited_metric(
                ctx.prompts.corrupt,
                {section: replace_write(write + s * change[section])},
            ).double()
            for s in (step, -step)
        )
        slope = (ahead - behind) / (2 * step)
        np.testing.assert_allclose(found[:, section], slope, rtol=2e-2, atol=2e-3)


def test_swapping_clean_and_corrupt_matters(tiny_context: TaskContext) -> None:
    """The gradient is taken at the corrupt run, so the two runs are not alike."""
    found = attribution_patching(tiny_context).values
    other = attribution_patching(swapped(tiny_context)).values

    assert np.abs(found - other).max() > 0.01
    assert np.abs(found + other).max() > 0.01


def test_neighbouring_gradient_matters(tiny_context: TaskContext) -> None:
    """A gradient read one section off would give another answer."""
    ctx = tiny_context
    _, gradients = ctx.gradients(ctx.prompts.corrupt)
    change = write_difference(
        ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    )
    off = (change * gradients.roll(1, dims=0)).sum(dim=(2, 3)).mean(dim=1)
    found = attribution_patching(ctx).values

    assert np.abs(found[1:] - off.numpy()[1:]).min() > 1e-3


def test_write_difference_by_plain_hooks(tiny_context: TaskContext) -> None:
    """Clean minus corrupt, section by section, as plain hooks see the writes."""
    ctx = tiny_context
    seen: list[list[torch.Tensor]] = []
    for ids in (ctx.prompts.clean, ctx.prompts.corrupt):
        writes: list[torch.Tensor] = []
        handles = [
            m.register_forward_hook(lambda _m, _i, o, w=writes: w.append(o))
            for m in ctx.subject.section_modules
        ]
        ctx.model(ids)
        for handle in handles:
            handle.remove()
        seen.append(writes)
    found = write_difference(
        ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    )

    for section in range(4):
        expected = seen[0][section] - seen[1][section]
        torch.testing.assert_close(found[section], expected, rtol=1e-4, atol=1e-4)
