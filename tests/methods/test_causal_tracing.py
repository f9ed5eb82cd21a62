from collections.abc import Callable

import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.patching import causal_tracing as module
from bench.methods.patching.causal_tracing import DRAWS, STRENGTH, causal_tracing
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveTask, deviation, stand_at


def probability(task: NaiveTask, p: int, logits: torch.Tensor) -> float:
    """Average the target's probability over copy sites."""
    found = []
    for probe, site in enumerate(task.sites[p]):
        exponentials = (logits[site] - logits[site].max()).exp()
        found.append(float(exponentials[task.target(p, probe)] / exponentials.sum()))
    return float(np.mean(found))


def by_loop(
    ctx: TaskContext, *, strength: float = 3.0, everywhere: bool = False
) -> np.ndarray:
    """Draw the same noise; restore one state of one prompt at a time."""
    task = NaiveTask(ctx)
    generator = torch.Generator().manual_seed(0)
    table = torch.stack([task.start("clean", p) for p in task.all])
    spread = float(table.flatten().numpy().std(ddof=1))
    values = np.zeros((len(task), task.n_sections))
    for _ in range(DRAWS):
        noise = torch.randn(table.shape, generator=generator).double()
        for p in task.all:
            noised = task.start("clean", p)
            for j in range(len(noised)):
                if everywhere or j in task.sources[p]:
                    noised[j] += strength * spread * noise[p, j]
            before = probability(task, p, task.llama.run(noised).logits)
            clean, mask = task.run("clean", p), task.mask(task.sites[p])
            for s in range(task.n_sections):
                restored = task.llama.run(
                    noised, changes={s: stand_at(clean.points[s + 1], mask)}
                )
                after = probability(task, p, restored.logits)
                values[p, s] += (after - before) / DRAWS
    return values


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """Under equal noise, restored states raise the probability as the method says."""
    expected = by_loop(tiny_context)

    assert (DRAWS, STRENGTH) == (5, 3.0)
    assert np.abs(expected).max(axis=0).min() > 1e-3
    assert deviation(causal_tracing(tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"strength": 1.0}, {"everywhere": True}])
def test_noise_matters(tiny_context: TaskContext, spoilt: dict) -> None:
    """Weaker noise, or noise at all positions, gives something else."""
    expected = by_loop(tiny_context, **spoilt)

    assert deviation(causal_tracing(tiny_context).per_prompt, expected) > 0.01


def test_restoring_the_last_state_restores_the_probability(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last section the clean probability is back, less the noised run's."""
    ctx, task = tiny_context, NaiveTask(tiny_context)
    monkeypatch.setattr(module, "DRAWS", 1)
    found = causal_tracing(ctx).per_prompt
    generator = torch.Generator().manual_seed(0)
    start = ctx.trace(ctx.prompts.clean).embeddings
    noise = torch.randn(start.shape, generator=generator)
    noised = start + 3 * start.std() * noise * ctx.prompts.source_mask
    expected = [
        probability(task, p, task.run("clean", p).logits)
        - probability(task, p, task.llama.run(noised[p].double()).logits)
        for p in task.all
    ]

    assert found is not None
    assert deviation(found[:, -1], expected) < 1e-4


def test_without_attention_nothing_reaches_copy_sites(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> None:
    """Where no head writes, noise at sources changes nothing that could be restored."""
    model = make_model()
    for block in model.blocks:
        block.get_parameter("self_attn.o_proj.weight").zero_()

    found = causal_tracing(make_context(model)).per_prompt

    assert found is not None
    np.testing.assert_allclose(found, 0.0, atol=1e-7)
