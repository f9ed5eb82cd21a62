import numpy as np
import pytest

from bench.methods.context import TaskContext
from bench.methods.gradients.attribution_patching import attribution_patching
from bench.methods.patching.write_patching import denoising, noising
from bench.methods.protocol import Method
from bench.models.edits import replace_write
from tests.methods.naive_llama import NaiveTask, deviation, instead

METHODS: dict[str, Method] = {"denoising": denoising, "noising": noising}
BOTH = pytest.mark.parametrize("direction", METHODS)


def by_loop(ctx: TaskContext, direction: str, *, shift: int = 0) -> np.ndarray:
    """Move one write of one prompt from one run to the other."""
    task = NaiveTask(ctx)
    into, source = "corrupt", "clean"
    if direction == "noising":
        into, source = source, into
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        writes = task.run(source, p).writes
        for s in range(task.n_sections):
            place = (s + shift) % task.n_sections
            patched = task.value(into, p, changes={place: instead(writes[place])})
            values[p, s] = (patched - task.value(into, p)) / task.gap
    return values if direction == "denoising" else -values


@BOTH
def test_equals_a_loop(tiny_context: TaskContext, direction: str) -> None:
    """One write at a time, at all positions, relative to the mean gap."""
    expected = by_loop(tiny_context, direction)

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(METHODS[direction](tiny_context).per_prompt, expected) < 1e-4


@BOTH
def test_section_and_direction_matter(
    tiny_context: TaskContext, direction: str
) -> None:
    """The write one section on, or the other direction, gives something else."""
    found = METHODS[direction](tiny_context).per_prompt
    other = "noising" if direction == "denoising" else "denoising"

    assert deviation(found, by_loop(tiny_context, direction, shift=1)) > 0.01
    assert deviation(found, by_loop(tiny_context, other)) > 0.01


@pytest.mark.parametrize("into", ["corrupt", "clean"])
def test_all_writes_at_once_are_the_other_run(
    tiny_context: TaskContext, into: str
) -> None:
    """At copy sites, whose tokens are the same, all writes together are everything."""
    prompts = tiny_context.prompts
    ids, other = prompts.corrupt, prompts.clean
    if into == "clean":
        ids, other = other, ids
    source = tiny_context.trace(other)
    edits = {s: replace_write(write) for s, write in enumerate(source.writes)}
    found = tiny_context.edited_metric(ids, edits).numpy()
    plain = tiny_context.edited_metric(ids, {}).numpy()
    expected = tiny_context.metric_of(source).numpy()

    assert np.abs(expected - plain).min() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_denoising_is_attribution_patching_on_a_linear_model(
    linear_context: TaskContext,
) -> None:
    """Where everything is linear the first order is all there is, and signs agree."""
    ctx = linear_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    first_order = attribution_patching(ctx).per_prompt
    assert first_order is not None
    expected = first_order / float(ctx.gap(clean, corrupt))

    assert deviation(denoising(ctx).per_prompt, expected) < 1e-4
    assert deviation(noising(ctx).per_prompt, expected) < 1e-4


def test_noising_one_write_is_denoising_all_others(tiny_context: TaskContext) -> None:
    """The last write destroyed in the clean run is the others restored in the corrupt.

    That holds at copy sites, whose tokens are the same in both runs.
    """
    task, found = NaiveTask(tiny_context), noising(tiny_context).per_prompt
    expected = []
    for p in task.all:
        writes = task.run("clean", p).writes
        others = {s: instead(writes[s]) for s in range(3)}
        left = instead(task.run("corrupt", p).writes[3])
        restored = task.value("corrupt", p, changes={**others, 3: left})
        expected.append(task.value("clean", p) - restored)

    assert found is not None
    assert deviation(found[:, 3] * task.gap, expected) < 1e-4
