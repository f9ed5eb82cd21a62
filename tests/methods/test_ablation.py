import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.ablation.mean import mean_ablation
from bench.methods.ablation.resample import resample_ablation
from bench.methods.ablation.zero import zero_ablation
from bench.methods.context import TaskContext
from tests.methods.naive_llama import NaiveTask, deviation, dot, instead

METHODS = {"zero": zero_ablation, "resample": resample_ablation, "mean": mean_ablation}


def replaced(kind: str, writes: list[Tensor], p: int) -> Tensor:
    """Return what a prompt's write is replaced by."""
    others = [writes[q] for q in range(len(writes)) if q != p]
    if kind == "zero":
        return torch.zeros_like(writes[p])
    if kind == "mean":
        return torch.stack(others).mean(dim=0)
    # another prompt: the one before, the last for the first
    return writes[(p - 1) % len(writes)]


def by_loop(ctx: TaskContext, kind: str, *, run: str = "clean") -> np.ndarray:
    """Run every prompt once for each section, with that write replaced."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    runs = [task.run(run, p) for p in task.all]
    for p in task.all:
        for s in range(task.n_sections):
            other = replaced(kind, [each.writes[s] for each in runs], p)
            kept = task.value(run, p, changes={s: instead(other)})
            values[p, s] = task.value(run, p) - kept
    return values


def plain_hooks(ctx: TaskContext, kind: str) -> np.ndarray:
    """Do the same on the transformers model with nothing but its own hooks."""
    model, ids = ctx.model, ctx.prompts.clean
    intact = ctx.metric(model(ids).logits)
    columns = []
    for s in range(4):
        place = "mlp.down_proj" if s % 2 else "self_attn.o_proj"
        module = model.get_submodule(f"model.layers.{s // 2}.{place}")
        handle = module.register_forward_hook(
            lambda _m, _i, out: torch.stack(
                [replaced(kind, list(out), p) for p in range(len(out))]
            )
        )
        columns.append(intact - ctx.metric(model(ids).logits))
        handle.remove()
    return torch.stack(columns, dim=1).double().numpy()


@pytest.mark.parametrize("kind", METHODS)
def test_equals_a_hand_written_model(tiny_context: TaskContext, kind: str) -> None:
    """The behaviour drops as in a model that is run section by section by hand."""
    expected = by_loop(tiny_context, kind)

    assert np.abs(expected).max(axis=0).min() > 0.05
    assert deviation(METHODS[kind](tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("kind", METHODS)
def test_equals_plain_hooks(tiny_context: TaskContext, kind: str) -> None:
    """The behaviour drops as when a hook replaces what a module returns."""
    expected = plain_hooks(tiny_context, kind)

    assert deviation(METHODS[kind](tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("kind", METHODS)
def test_replacement_and_run_matter(tiny_context: TaskContext, kind: str) -> None:
    """Another replacement, or the corrupt run, gives something else."""
    found = METHODS[kind](tiny_context).per_prompt
    for other in set(METHODS) - {kind}:
        assert deviation(found, by_loop(tiny_context, other)) > 0.01
    assert deviation(found, by_loop(tiny_context, kind, run="corrupt")) > 0.01


@pytest.mark.parametrize("kind", METHODS)
def test_is_the_gradient_on_a_linear_model(
    linear_context: TaskContext, kind: str
) -> None:
    """Where the behaviour is linear in a write, the first order is all there is."""
    ctx = linear_context
    trace, gradients = ctx.gradients(ctx.prompts.clean)
    expected = np.zeros((3, 4))
    for s, write in enumerate(trace.writes):
        for p in range(3):
            change = write[p] - replaced(kind, list(write), p)
            expected[p, s] = dot(change, gradients[s, p])

    assert deviation(METHODS[kind](ctx).per_prompt, expected) < 1e-4
