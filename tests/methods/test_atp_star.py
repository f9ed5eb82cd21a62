from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients.atp_star import atp_star
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveHead, NaiveTask, deviation, dot, random_model

Part = Callable[[NaiveHead, NaiveHead, Tensor], float]
"""(corrupt head, clean head, gradient of the pattern) -> effect of a part."""


def softmax(scores: list[float]) -> np.ndarray:
    """Return the softmax of some scores."""
    exponentials = np.exp(np.array(scores) - max(scores))
    return exponentials / exponentials.sum()


def query_effect(corrupt: NaiveHead, clean: NaiveHead, gradient: Tensor) -> float:
    """Replace one query at a time, and compute its row of the pattern anew."""
    effect = 0.0
    for i in range(len(corrupt.query)):
        width = corrupt.query.shape[1] ** 0.5
        row = softmax(
            [float(clean.query[i] @ corrupt.key[j]) / width for j in range(i + 1)]
        )
        change = row - corrupt.pattern[i, : i + 1].numpy()
        effect += float(change @ gradient[i, : i + 1].numpy())
    return effect


def key_effect(corrupt: NaiveHead, clean: NaiveHead, gradient: Tensor) -> float:
    """Replace one key at a time, and compute all rows that see it anew."""
    effect = 0.0
    scores = corrupt.scores.numpy()
    for j in range(len(corrupt.key)):
        new = (corrupt.query @ clean.key[j]).numpy() / corrupt.key.shape[1] ** 0.5
        for i in range(j, len(scores)):
            row = scores[i, : i + 1].copy()
            row[j] = new[i]
            change = softmax(row.tolist()) - corrupt.pattern[i, : i + 1].numpy()
            effect += float(change @ gradient[i, : i + 1].numpy())
    return effect


def all_keys_at_once(corrupt: NaiveHead, clean: NaiveHead, gradient: Tensor) -> float:
    """Replace all keys together, as the fix does not."""
    scores = corrupt.query @ clean.key.T / corrupt.key.shape[1] ** 0.5
    later = torch.ones_like(scores).triu(1).bool()
    pattern = scores.masked_fill(later, -torch.inf).softmax(dim=-1)
    return dot(pattern - corrupt.pattern, gradient)


def first_order(corrupt: NaiveHead, clean: NaiveHead, gradient: Tensor) -> float:
    """Replace queries to first order: what the fix is there to mend."""
    p = corrupt.pattern
    scores = p * (gradient - (p * gradient).sum(dim=-1, keepdim=True))
    change = (clean.query - corrupt.query) @ corrupt.key.T / p.new_tensor(8.0).sqrt()
    return dot(change, scores)


def detached(heads: list[list[NaiveHead]]) -> list[list[NaiveHead]]:
    """Return heads without their graph."""
    return [
        [NaiveHead(*(x.detach() for x in vars(head).values())) for head in block]
        for block in heads
    ]


def by_loop(
    ctx: TaskContext,
    *,
    queries: Part = query_effect,
    keys: Part = key_effect,
    drops: bool = True,
) -> np.ndarray:
    """Compute the method part by part, prompt by prompt, dropped block by block."""
    task = NaiveTask(ctx)
    n_blocks = task.llama.n_blocks
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        clean = task.run("clean", p)
        for dropped in range(n_blocks):
            cut = {2 * dropped + i: lambda w, _r: w.detach() for i in (0, 1)}
            run = task.llama.run(
                task.start("corrupt", p).requires_grad_(), changes=cut if drops else {}
            )
            value = task.behaviour(p, run.logits)

            def slope(place: Tensor, value: Tensor = value) -> Tensor:
                found = torch.autograd.grad(
                    value, place, retain_graph=True, allow_unused=True
                )[0]
                return torch.zeros_like(place) if found is None else found

            for block in range(n_blocks):
                if drops and block == dropped:
                    continue
                pairs = zip(
                    detached([run.heads[block]])[0],
                    clean.heads[block],
                    run.heads[block],
                    strict=True,
                )
                for corrupt, other, live in pairs:
                    pattern = slope(live.pattern)
                    values[p, 2 * block] += abs(queries(corrupt, other, pattern))
                    values[p, 2 * block] += abs(keys(corrupt, other, pattern))
                    change = other.value - corrupt.value
                    values[p, 2 * block] += abs(dot(change, slope(live.value)))
                mlp = 2 * block + 1
                change = clean.writes[mlp] - run.writes[mlp]
                values[p, mlp] += abs(dot(change, slope(run.points[mlp + 1])))
    return values / (n_blocks - 1)


@pytest.fixture
def deep_context(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> TaskContext:
    """Three blocks, so that a dropped block leaves paths through another."""
    return make_context(make_model(blocks=3, seed=3))


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """Patterns are computed anew, query by query and key by key."""
    expected = by_loop(tiny_context)

    assert expected.mean(axis=0).min() > 0.01
    assert deviation(atp_star(tiny_context).per_prompt, expected) < 1e-4


def test_equals_a_loop_in_three_blocks(deep_context: TaskContext) -> None:
    """Every block is dropped in turn, and the sum divided by their number less one."""
    expected = by_loop(deep_context)

    assert expected.mean(axis=0).min() > 0.01
    assert deviation(atp_star(deep_context).per_prompt, expected) < 1e-4


def test_equals_a_loop_where_heads_share_keys(
    make_context: Callable[[SubjectModel], TaskContext],
) -> None:
    """A shared key or value is a part of every head that reads it."""
    ctx = make_context(random_model("llama", heads=4, shared=2))
    expected = by_loop(ctx)

    assert expected.mean(axis=0).min() > 0.01
    assert deviation(atp_star(ctx).per_prompt, expected) < 1e-4


@pytest.mark.parametrize(
    "spoilt",
    [
        {"keys": all_keys_at_once},
        {"queries": first_order},
        {"drops": False},
    ],
    ids=["keys-together", "first-order", "nothing-dropped"],
)
def test_every_step_matters(deep_context: TaskContext, spoilt: dict) -> None:
    """Without one of its corrections the method is another one."""
    expected = by_loop(deep_context, **spoilt)

    assert deviation(atp_star(deep_context).per_prompt, expected) > 0.01


def test_mlps_on_a_linear_model(linear_context: TaskContext) -> None:
    """With two linear blocks the other block is dropped, so only direct paths count.

    Dropping block 1 leaves the MLP of block 0 its direct path to the logits, which is
    its effect by the unembedding alone; the same holds for block 1 without block 0.
    """
    ctx = linear_context
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    table = ctx.subject.unembedding
    directions = table[ctx.prompts.targets] - table.mean(dim=0)
    rows = torch.arange(3)[:, None]
    expected = np.zeros((3, 2))
    for column, section in enumerate((1, 3)):
        change = clean.writes[section] - corrupt.writes[section]
        at_sites = (change[rows, ctx.prompts.sites] * directions).sum(-1).mean(-1)
        expected[:, column] = at_sites.abs().numpy()
    found = atp_star(ctx).per_prompt

    assert found is not None
    assert deviation(found[:, 1::2], expected) < 1e-4
