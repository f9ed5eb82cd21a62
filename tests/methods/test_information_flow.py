from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from bench.methods.attention.information_flow import (
    given_by_position,
    information_flow_routes,
    shares,
)
from bench.methods.context import TaskContext
from bench.models.attention import observed_heads
from bench.models.run import run
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveRun, NaiveTask, deviation, random_model


def closeness(whole: Tensor, part: Tensor, *, order: int = 1) -> float:
    """Say by how much a part brings the whole nearer."""
    near = whole.norm(p=order) - (whole - part).norm(p=order)
    return max(float(near), 0.0)


def parts_of(naive: NaiveRun, section: int, site: int) -> list[Tensor]:
    """Split the state after an attention section by position, the state before last."""
    heads = naive.heads[section // 2]
    parts = []
    for j in range(site + 1):
        part = torch.zeros_like(naive.points[0][0])
        for head in heads:
            part = part + head.pattern[site, j] * (head.value[j] @ head.projection)
        parts.append(part)
    return [*parts, naive.points[section][site]]


def by_loop(
    ctx: TaskContext, *, order: int = 1, moving: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Send the weight down site by site and part by part.

    Returns:
        Each section's weight, and what weight there is in all on the way down.
    """
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    totals = np.zeros((len(task), task.n_sections))
    for p in task.all:
        naive = task.run("clean", p)
        weight = np.zeros(len(naive.points[0]))
        weight[task.sites[p]] = 1 / len(task.sites[p])
        for section in reversed(range(task.n_sections)):
            passed = np.zeros_like(weight)
            for site in np.flatnonzero(weight).tolist():
                whole = naive.points[section + 1][site]
                if section % 2:
                    parts = [naive.writes[section][site], naive.points[section][site]]
                    places = [site, site]
                else:
                    parts = parts_of(naive, section, site)
                    places = [*range(site + 1), site]
                near = [closeness(whole, part, order=order) for part in parts]
                for part, (place, close) in enumerate(zip(places, near, strict=True)):
                    sent = weight[site] * close / sum(near)
                    passed[place if moving else site] += sent
                    if part < len(parts) - 1:
                        values[p, section] += sent
            weight = passed
            totals[p, section] = weight.sum()
    return values, totals


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """Weight goes down by closeness, site by site and position by position."""
    expected, totals = by_loop(tiny_context)
    found = information_flow_routes(tiny_context).per_prompt

    np.testing.assert_allclose(totals, 1.0)
    assert 0.05 < expected.min() < expected.max() < 0.95
    assert deviation(found, expected) < 1e-4


def test_equals_a_loop_where_heads_share_values(
    make_context: Callable[[SubjectModel], TaskContext],
) -> None:
    """Every head moves the shared value by its own pattern and projection."""
    ctx = make_context(random_model("llama", heads=4, shared=2))

    assert deviation(information_flow_routes(ctx).per_prompt, by_loop(ctx)[0]) < 1e-4


@pytest.mark.parametrize("spoilt", [{"order": 2}, {"moving": False}])
def test_norm_and_routes_matter(tiny_context: TaskContext, spoilt: dict) -> None:
    """Another norm gives other shares; so does weight that stays at its site."""
    found = information_flow_routes(tiny_context).per_prompt

    assert deviation(found, by_loop(tiny_context, **spoilt)[0]) > 0.01


def test_shares_of_hand_worked_parts() -> None:
    """A part that points away gets nothing, the others what they bring nearer.

    The whole (4, 0) is 4 from 0; (3, 0) leaves 1, (2, 1) leaves 3, (-1, -1) leaves 6.
    """
    parts = torch.tensor([[3.0, 0.0], [2.0, 1.0], [-1.0, -1.0]])

    found = shares(torch.tensor([4.0, 0.0]), parts)

    assert_close(found, torch.tensor([0.75, 0.25, 0.0]))


def test_shares_sum_to_one() -> None:
    """Whatever the parts, nothing is lost or negative; none near is all alike."""
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(5, 30, 4, generator=generator)
    found = shares(parts.sum(dim=0), parts)
    away = shares(torch.ones(4), -torch.ones(5, 4))

    assert (found >= 0).all()
    assert found.max() > 0.5
    assert_close(found.sum(dim=0), torch.ones(30))
    assert_close(away, torch.full((5,), 0.2))


def test_positions_give_the_whole_write(tiny_context: TaskContext) -> None:
    """What all positions give to a site adds up to the attention's write."""
    ctx = tiny_context
    with observed_heads(ctx.subject) as heads, torch.no_grad():
        trace = run(ctx.subject, ctx.prompts.clean)
    for block in range(2):
        write = trace.writes[2 * block]
        given = given_by_position(ctx.subject, heads[block], block, write)

        assert write.abs().max() > 0.1
        assert_close(given.sum(dim=2), write, rtol=1e-4, atol=1e-5)
        for site in range(given.shape[1] - 1):
            assert (given[:, site, site + 1 :] == 0).all()


def test_silent_sections_pass_nothing(
    make_model: Callable[..., SubjectModel],
    make_context: Callable[[SubjectModel], TaskContext],
) -> None:
    """No weight passes through sections that write nothing; the others keep theirs."""
    model = make_model()
    model.blocks[1].get_parameter("mlp.down_proj.weight").zero_()
    model.blocks[1].get_parameter("self_attn.o_proj.weight").zero_()
    found = information_flow_routes(make_context(model)).per_prompt

    assert found is not None
    np.testing.assert_allclose(found[:, 2:], 0.0, atol=1e-6)
    assert found[:, :2].min() > 0.05
