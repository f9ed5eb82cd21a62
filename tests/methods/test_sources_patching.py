import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.patching.activation_patching import (
    sources_denoising,
    sources_noising,
)
from bench.methods.protocol import Method
from bench.models.edits import patch_state
from tests.methods.naive_llama import NaiveTask, deviation, stand_at

METHODS: dict[str, Method] = {
    "denoising": sources_denoising,
    "noising": sources_noising,
}
BOTH = pytest.mark.parametrize("direction", METHODS)


def by_loop(
    ctx: TaskContext, direction: str, *, places: str = "sources", left: bool = True
) -> np.ndarray:
    """Patch states at the sources; subtract from the effect of their embeddings."""
    task = NaiveTask(ctx)
    into, source = "corrupt", "clean"
    if direction == "noising":
        into, source = source, into
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        positions = task.sources[p] if places == "sources" else list(range(1, 9))
        mask, other = task.mask(positions), task.run(source, p)
        start = mask * other.points[0] + (1 - mask) * task.start(into, p)
        at_embeddings = float(task.behaviour(p, task.llama.run(start).logits))
        for s in range(task.n_sections):
            change = stand_at(other.points[s + 1], mask)
            patched = task.value(into, p, changes={s: change})
            first = at_embeddings if left else task.value(into, p)
            values[p, s] = (first - patched) / task.gap
    return values if direction == "denoising" else -values


@BOTH
def test_equals_a_loop(tiny_context: TaskContext, direction: str) -> None:
    """The effect of the sources' embeddings, less that of their states."""
    expected = by_loop(tiny_context, direction)

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(METHODS[direction](tiny_context).per_prompt, expected) < 1e-4


@BOTH
@pytest.mark.parametrize("spoilt", [{"places": "first half"}, {"left": False}])
def test_positions_and_start_matter(
    tiny_context: TaskContext, direction: str, spoilt: dict
) -> None:
    """The whole first half, or the unpatched run to start from, differ."""
    expected = by_loop(tiny_context, direction, **spoilt)

    assert deviation(METHODS[direction](tiny_context).per_prompt, expected) > 0.01


@BOTH
def test_nothing_hangs_on_sources_after_the_last_attention(
    tiny_context: TaskContext, direction: str
) -> None:
    """After the last attention all of the embeddings' effect has left the sources."""
    task, found = NaiveTask(tiny_context), METHODS[direction](tiny_context).per_prompt
    expected = []
    for p in task.all:
        into, source = ("corrupt", "clean")
        if direction == "noising":
            into, source = source, into
        mask = task.mask(task.sources[p])
        start = mask * task.start(source, p) + (1 - mask) * task.start(into, p)
        moved = float(task.behaviour(p, task.llama.run(start).logits))
        effect = moved - task.value(into, p)
        expected.append(effect if direction == "denoising" else -effect)

    assert found is not None
    np.testing.assert_allclose(found[:, 2], found[:, 3], rtol=1e-4, atol=1e-5)
    assert deviation(found[:, 3] * task.gap, expected) < 1e-4


def patched(ctx: TaskContext, into: Tensor, source: Tensor, mask: Tensor) -> np.ndarray:
    """Measure the behaviour with states taken from another run where the mask is 1."""
    other = ctx.trace(source)
    columns = [
        ctx.edited_metric(into, {s: patch_state(state, mask)})
        for s, state in enumerate(other.states)
    ]
    return torch.stack(columns, dim=1).double().numpy()


def test_patching_what_differs_is_patching_the_rest_the_other_way(
    tiny_context: TaskContext,
) -> None:
    """Clean states in the first half, corrupt ones in the second: one and the same run.

    After a section, nothing but the states counts, so it does not matter which of the
    two runs the other half was patched into. With the sources alone it does.
    """
    ctx = tiny_context
    clean, corrupt = ctx.prompts.clean, ctx.prompts.corrupt
    differ = (clean != corrupt)[..., None].float()
    assert differ[:, 1:9].all()
    assert not differ[:, 9:].any()
    found = patched(ctx, corrupt, clean, differ)
    expected = patched(ctx, clean, corrupt, 1 - differ)
    other = patched(ctx, clean, corrupt, 1 - ctx.prompts.source_mask)

    assert np.ptp(expected, axis=1).min() > 0.05
    assert deviation(found, expected) < 1e-5
    assert (
        deviation(patched(ctx, corrupt, clean, ctx.prompts.source_mask), other) < 1e-5
    )
    assert deviation(found, other) > 0.01


def test_directions_agree_on_a_linear_model(linear_context: TaskContext) -> None:
    """Where nothing interacts, restoring and destroying are the same."""
    one, other = (method(linear_context).per_prompt for method in METHODS.values())

    assert deviation(one, other) < 1e-4
