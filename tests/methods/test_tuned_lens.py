from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.readout import tuned_lens as module
from bench.methods.readout.logit_lens import logit_lens
from bench.methods.readout.tuned_lens import _loss, _train, reordered, tuned_lens
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveRun, NaiveTask, deviation

STEPS = 5


def lens_loss(task: NaiveTask, lens: list[Tensor], run: NaiveRun, s: int) -> Tensor:
    """Compare a translated state's predictions with the model's, at every position."""
    matrix, shift = lens
    own = run.logits.softmax(dim=-1)
    total = torch.zeros((), dtype=torch.float64)
    for t, state in enumerate(run.points[s + 1]):
        found = task.llama.unembed(state + matrix @ state + shift).softmax(dim=-1)
        total = total + (own[t] * (own[t] / found).log()).sum()
    return total / len(run.logits)


def by_loop(ctx: TaskContext, *, steps: int = STEPS, rate: float = 3e-3) -> np.ndarray:
    """Train each lens alone by a hand-written Adam, on the same reordered prompts."""
    task = NaiveTask(ctx)
    fresh = replace(ctx, generator=torch.Generator().manual_seed(0))
    runs = [task.llama.run(task.llama.embed(reordered(fresh)[0])) for _ in range(steps)]
    values = np.zeros((len(task), task.n_sections))
    for s in range(task.n_sections):
        lens = [torch.zeros(16, 16).double(), torch.zeros(16).double()]
        first, second = ([torch.zeros_like(x) for x in lens] for _ in range(2))
        for step, run in enumerate(runs, start=1):
            lens = [x.detach().requires_grad_() for x in lens]
            slopes = torch.autograd.grad(lens_loss(task, lens, run, s), lens)
            for i, slope in enumerate(slopes):
                first[i] = 0.9 * first[i] + 0.1 * slope
                second[i] = 0.999 * second[i] + 0.001 * slope**2
                size = (second[i] / (1 - 0.999**step)).sqrt() + 1e-8
                lens[i] = lens[i] - rate * first[i] / (1 - 0.9**step) / size
        matrix, shift = (x.detach() for x in lens)
        for p in task.all:
            state = task.run("clean", p).points[s + 1]
            logits = task.llama.unembed(state + state @ matrix.T + shift)
            values[p, s] = float(task.behaviour(p, logits))
    return values


def test_equals_a_hand_written_training(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same prompts lead a second implementation to the same readings."""
    monkeypatch.setattr(module, "STEPS", STEPS)
    found = tuned_lens(tiny_context).per_prompt
    # the last lens has no gradient but rounding, which differs
    expected = by_loop(tiny_context)[:, :-1]
    slow = by_loop(tiny_context, rate=1e-3)[:, :-1]
    short = by_loop(tiny_context, steps=3)[:, :-1]

    assert found is not None
    found = found[:, :-1]
    assert deviation(found, expected) < 1e-4
    assert deviation(found, slow) > 0.01
    assert deviation(found, short) > 0.01


def test_untrained_it_is_the_logit_lens(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lens starts at 0 and leaves states as they are."""
    monkeypatch.setattr(module, "STEPS", 0)
    expected = logit_lens(tiny_context).per_prompt

    assert deviation(tuned_lens(tiny_context).per_prompt, expected) < 1e-6


def test_logit_lens_equals_a_loop(tiny_context: TaskContext) -> None:
    """The logit lens reads each state as the hand-written model reads the last."""
    task = NaiveTask(tiny_context)
    expected = [
        [
            float(task.behaviour(p, task.llama.unembed(state)))
            for state in task.run("clean", p).points[1:]
        ]
        for p in task.all
    ]

    assert deviation(logit_lens(tiny_context).per_prompt, expected) < 1e-4


def test_training_helps_on_prompts_not_trained_on(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On new reordered prompts trained lenses diverge less than untrained ones."""
    ctx = make_context(make_model())
    lenses = _train(ctx)
    with monkeypatch.context() as m:
        m.setattr(module, "STEPS", 0)
        untrained = _train(ctx)
    held_out = replace(ctx, generator=torch.Generator().manual_seed(1))
    ids = torch.cat([reordered(held_out) for _ in range(8)])
    with torch.no_grad():
        before, after = (_loss(ctx.subject, each, ids) for each in (untrained, lenses))

    assert before > 0.1
    assert after < 0.8 * before


def test_last_lens_has_nothing_to_learn(tiny_context: TaskContext) -> None:
    """After the last section the states are read as they are, trained or not."""
    found, plain = tuned_lens(tiny_context).per_prompt, logit_lens(tiny_context)
    assert found is not None
    assert plain.per_prompt is not None

    gap = np.abs(found - plain.per_prompt).max(axis=0)
    assert gap[-1] < 0.1 * gap[:-1].min()
    assert gap[:-1].min() > 0.05


def test_reordered_prompts_repeat_as_before(tiny_context: TaskContext) -> None:
    """Tokens are renamed one to one: what repeats goes on repeating, nothing else."""
    ctx = tiny_context
    clean = ctx.prompts.clean
    known = set(clean[:, 1:].flatten().tolist())
    changed = 0
    for _ in range(5):
        for row in reordered(ctx):
            same = [(row[:, None] == row).equal(c[:, None] == c) for c in clean]
            assert any(same)
            assert torch.equal(row[1:9], row[9:17])
            assert set(row[1:].tolist()) <= known
            assert row[0] == 0
            changed += not (clean == row).all(dim=1).any()
    assert changed == 5
