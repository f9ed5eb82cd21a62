from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.methods.context import TaskContext
from bench.methods.gradients.attribution_patching import attribution_patching
from bench.methods.gradients.eap import (
    edge_scores,
    layer_in,
    layer_in_absolute,
    layer_out_absolute,
)
from bench.models.architectures.registry import KNOWN
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveRun, NaiveTask, deviation, dot, random_model


def written(run: NaiveRun) -> list[Tensor]:
    """Return what writers write: the embeddings, then the sections."""
    return [run.points[0], *run.writes]


def by_loop(ctx: TaskContext, *, at: str = "corrupt", later: int = 0) -> np.ndarray:
    """Differentiate by what one reader alone is given in addition."""
    task = NaiveTask(ctx)
    n = task.n_sections
    scores = np.zeros((len(task), n + 1, n + 1))
    for p in task.all:
        clean, corrupt = (written(task.run(kind, p)) for kind in ("clean", "corrupt"))
        for reader in range(n + 1):
            shift = torch.zeros_like(clean[0]).requires_grad_()
            run = task.run(at, p, read_shifts={min(reader + later, n): shift})
            slope = torch.autograd.grad(task.behaviour(p, run.logits), shift)[0]
            for writer in range(reader + 1):
                change = clean[writer] - corrupt[writer]
                scores[p, writer, reader] = dot(change, slope)
    return scores


def test_edges_equal_a_loop(tiny_context: TaskContext) -> None:
    """An edge's score is the change of its writer times its reader's own gradient."""
    expected = by_loop(tiny_context)
    found = edge_scores(tiny_context).double().numpy()

    exists = np.triu(np.ones((5, 5), dtype=bool))
    assert (found[:, ~exists] == 0).all()
    # after the last attention only copy sites count, whose tokens are the same
    assert (found[:, 0, 3:] == 0).all()
    exists[0, 3:] = False
    assert np.abs(expected).mean(axis=0)[exists].min() > 0.01
    assert deviation(found, expected) < 1e-4


@pytest.mark.parametrize("spoilt", [{"at": "clean"}, {"later": 1}])
def test_run_and_reader_matter(
    tiny_context: TaskContext, spoilt: dict[str, Any]
) -> None:
    """At the clean run, or one reader further on, gradients are others."""
    found = edge_scores(tiny_context).double().numpy()

    assert deviation(found, by_loop(tiny_context, **spoilt)) > 0.01


def test_edges_equal_finite_differences(tiny_context: TaskContext) -> None:
    """Moving one write a little, as one reader alone sees it, moves the behaviour."""
    task, small = NaiveTask(tiny_context), 1e-5
    found = edge_scores(tiny_context).double().numpy()[0]
    expected = np.zeros((5, 5))
    clean, corrupt = (written(task.run(kind, 0)) for kind in ("clean", "corrupt"))
    for reader in range(5):
        for writer in range(reader + 1):
            change = small * (clean[writer] - corrupt[writer])
            ends = [
                task.value("corrupt", 0, read_shifts={reader: sign * change})
                for sign in (1, -1)
            ]
            expected[writer, reader] = (ends[0] - ends[1]) / (2 * small)

    assert deviation(found, expected) < 1e-4


def test_sums_to_sections(tiny_context: TaskContext) -> None:
    """Edges are summed to sections, with the sign of their mean where absolute."""
    scores = by_loop(tiny_context)
    columns = np.zeros((3, 3, 4))
    for section in range(4):
        for p in range(3):
            for writer in range(section + 1):
                edge = scores[:, writer, section]
                columns[0, p, section] += edge[p]
                columns[1, p, section] += edge[p] * np.sign(edge.mean())
            for reader in range(section + 1, 5):
                edge = scores[:, section + 1, reader]
                columns[2, p, section] += edge[p] * np.sign(edge.mean())

    for method, expected in zip(
        (layer_in, layer_in_absolute, layer_out_absolute), columns, strict=True
    ):
        assert deviation(method(tiny_context).per_prompt, expected) < 1e-4


def test_absolute_values_are_those_of_mean_edges(tiny_context: TaskContext) -> None:
    """The answer sums absolute values of edges, taken after the mean over prompts."""
    edges = np.abs(by_loop(tiny_context).mean(axis=0))

    assert deviation(layer_in_absolute(tiny_context).values, edges.sum(0)[:-1]) < 1e-4
    assert deviation(layer_out_absolute(tiny_context).values, edges.sum(1)[1:]) < 1e-4
    each = np.abs(by_loop(tiny_context)).mean(axis=0)
    assert deviation(layer_in_absolute(tiny_context).values, each.sum(0)[:-1]) > 0.01


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_edges_out_sum_to_attribution_patching(
    name: str, make_context: Callable[[SubjectModel], TaskContext]
) -> None:
    """In every architecture all that a write does it does through its readers."""
    ctx = make_context(random_model(name))
    whole = attribution_patching(ctx).per_prompt
    edges = edge_scores(ctx).double().numpy()
    absolute = layer_out_absolute(ctx).values

    assert deviation(edges.sum(axis=2)[:, 1:], whole) < 1e-4
    assert (absolute >= np.abs(edges.sum(axis=2).mean(axis=0))[1:] - 1e-6).all()
    assert (layer_in_absolute(ctx).values >= np.abs(layer_in(ctx).values) - 1e-6).all()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_only_parallel_blocks_have_no_edge_inside(
    name: str, make_context: Callable[[SubjectModel], TaskContext]
) -> None:
    """An MLP beside its attention does not read it; one above does."""
    subject = random_model(name)
    inside = edge_scores(make_context(subject))[:, [1, 3], [1, 3]]

    assert subject.architecture.parallel == (name == "gpt_neox")
    if subject.architecture.parallel:
        assert (inside == 0).all()
    else:
        assert inside.abs().mean(dim=0).min() > 1e-4
