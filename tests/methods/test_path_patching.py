import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.patching.path_patching import path_patching_direct
from bench.methods.patching.write_patching import noising
from bench.methods.readout.direct_logit_attribution import direct_logit_attribution
from tests.methods.naive_llama import NaiveTask, deviation


def by_loop(
    ctx: TaskContext, *, into: str = "clean", frozen_norm: bool = False
) -> np.ndarray:
    """Move one write in the last state alone, and unembed it."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        runs = {kind: task.run(kind, p) for kind in ("clean", "corrupt")}
        last = runs[into].points[-1]
        for s in range(task.n_sections):
            change = runs["clean"].writes[s] - runs["corrupt"].writes[s]
            if frozen_norm:
                size = ((last**2).mean(dim=-1, keepdim=True) + 1e-6).sqrt()
                weight = task.llama.weights["model.norm.weight"]
                lost = task.behaviour(p, change * weight / size @ task.llama.table.T)
            else:
                moved = last - change if into == "clean" else last + change
                patched = task.behaviour(p, task.llama.unembed(moved))
                lost = task.behaviour(p, runs[into].logits) - patched
            sign = -1 if into == "corrupt" else 1
            values[p, s] = sign * float(lost) / task.gap
    return values


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """The contrast of one write is taken out of the last state, the norm anew."""
    expected = by_loop(tiny_context)

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(path_patching_direct(tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"into": "corrupt"}, {"frozen_norm": True}])
def test_run_and_norm_matter(tiny_context: TaskContext, spoilt: dict) -> None:
    """The corrupt run's last state, or its norm held fixed, gives something else."""
    expected = by_loop(tiny_context, **spoilt)

    assert deviation(path_patching_direct(tiny_context).per_prompt, expected) > 0.01


def test_is_the_contrast_of_direct_logit_attribution_without_a_norm(
    linear_context: TaskContext,
) -> None:
    """Without a final norm it is what the two runs' writes read out, subtracted."""
    ctx = linear_context
    trace = {
        name: ctx.trace(getattr(ctx.prompts, name)) for name in ("clean", "corrupt")
    }
    rows = torch.arange(3)[:, None]
    table = ctx.subject.unembedding
    direction = table[ctx.prompts.targets] - table.mean(dim=0)

    def read(name: str) -> np.ndarray:
        writes = torch.stack(trace[name].writes)[:, rows, ctx.prompts.sites]
        return (writes * direction).sum(dim=-1).mean(dim=-1).T.double().numpy()

    gap = float(ctx.gap(trace["clean"], trace["corrupt"]))
    expected = (read("clean") - read("corrupt")) / gap

    assert deviation(path_patching_direct(ctx).per_prompt, expected) < 1e-4


def test_sections_add_up_to_the_effect_without_a_norm(
    linear_context: TaskContext,
) -> None:
    """Without a final norm the direct effects of all sections are the whole."""
    ctx = linear_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    gaps = (ctx.metric_of(clean) - ctx.metric_of(corrupt)).numpy()
    found = path_patching_direct(ctx).per_prompt

    assert found is not None
    assert np.abs(gaps).min() > 0.01
    assert deviation(found.sum(axis=1), gaps / gaps.mean()) < 1e-4
    assert path_patching_direct(ctx).values.sum() == pytest.approx(1.0, abs=1e-4)


def test_last_section_has_no_other_path(tiny_context: TaskContext) -> None:
    """The last section's direct effect is its whole effect; the others' is not."""
    direct = path_patching_direct(tiny_context).per_prompt
    whole = noising(tiny_context).per_prompt
    assert direct is not None
    assert whole is not None

    assert deviation(direct[:, 3], whole[:, 3]) < 1e-4
    for section in range(3):
        assert deviation(direct[:, section], whole[:, section]) > 0.01


def test_is_not_direct_logit_attribution(tiny_context: TaskContext) -> None:
    """It has a contrast, and a norm that follows the change."""
    found = path_patching_direct(tiny_context).per_prompt
    plain = direct_logit_attribution(tiny_context).per_prompt

    assert deviation(found, plain) > 0.05
