import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.gradients import path
from bench.methods.gradients.eap_ig import eap_ig_activations
from bench.methods.gradients.layer_integrated_gradients import (
    layer_integrated_gradients,
)
from bench.methods.patching.activation_patching import denoising as states
from bench.methods.patching.write_patching import denoising as writes
from bench.methods.protocol import Method
from tests.methods.naive_llama import NaiveTask, deviation, dot, instead

METHODS: dict[str, tuple[Method, Method]] = {
    "write": (eap_ig_activations, writes),
    "state": (layer_integrated_gradients, states),
}
"""Each with what it is the integral form of."""
BOTH = pytest.mark.parametrize("kind", METHODS)

# Gauss-Legendre on [0, 1], five points, from a table
NODES = [0.046910077, 0.230765345, 0.5, 0.769234655, 0.953089923]
WEIGHTS = [0.118463443, 0.239314335, 0.284444444, 0.239314335, 0.118463443]


def by_loop(
    ctx: TaskContext,
    kind: str,
    *,
    nodes: list[float] | None = None,
    weights: list[float] | None = None,
    ends: tuple[str, str] = ("corrupt", "clean"),
) -> np.ndarray:
    """Average gradients along the path of one section's write or state."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    steps = list(zip(nodes or NODES, weights or WEIGHTS, strict=True))
    for p in task.all:
        first, last = (task.run(end, p) for end in ends)
        for s in range(task.n_sections):
            if kind == "write":
                change = last.writes[s] - first.writes[s]
            else:
                change = last.points[s + 1] - first.points[s + 1]
                change = change * task.mask(task.sites[p])
            for a, weight in steps:
                write = (first.writes[s] + a * change).requires_grad_()
                run = task.run(ends[0], p, changes={s: instead(write)})
                slope = torch.autograd.grad(task.behaviour(p, run.logits), write)[0]
                values[p, s] += weight * dot(change, slope)
    return values


def effect(ctx: TaskContext, method: Method) -> np.ndarray:
    """Return the effect of a patch in nats: the method's answer times the gap."""
    found = method(ctx).per_prompt
    assert found is not None
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    return found * float(ctx.gap(clean, corrupt))


def test_nodes_are_those_of_a_table() -> None:
    """Positions and weights of the quadrature are Gauss's."""
    found = np.array(path.nodes()).T

    np.testing.assert_allclose(found, [NODES, WEIGHTS], atol=1e-8)
    assert found[1].sum() == pytest.approx(1.0)


@BOTH
def test_equals_a_loop(tiny_context: TaskContext, kind: str) -> None:
    """Gradients of one section's write or state, at five points of its own path."""
    expected = by_loop(tiny_context, kind)

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(METHODS[kind][0](tiny_context).per_prompt, expected) < 1e-4


@BOTH
@pytest.mark.parametrize(
    "spoilt",
    [{"ends": ("clean", "corrupt")}, {"nodes": [0.0], "weights": [1.0]}],
    ids=["swapped", "one-end"],
)
def test_path_matters(tiny_context: TaskContext, kind: str, spoilt: dict) -> None:
    """Another run to start from, or the gradient at one end, gives something else."""
    expected = by_loop(tiny_context, kind, **spoilt)

    assert deviation(METHODS[kind][0](tiny_context).per_prompt, expected) > 0.01


@BOTH
def test_equals_the_patch_on_a_quadratic_model(
    quadratic_context: TaskContext, kind: str
) -> None:
    """Where the gradient is linear on the path, its integral is exact."""
    method, patch = METHODS[kind]

    expected = effect(quadratic_context, patch)
    assert deviation(method(quadratic_context).per_prompt, expected) < 1e-4


@BOTH
def test_equals_the_patch_on_a_quartic_model(
    quartic_context: TaskContext, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five points integrate a cubic gradient exactly; one point does not."""
    method, patch = METHODS[kind]
    expected = effect(quartic_context, patch)
    found = method(quartic_context).per_prompt
    monkeypatch.setattr(path, "nodes", lambda: [(1.0, 1.0)])

    assert deviation(found, expected) < 1e-4
    assert deviation(method(quartic_context).per_prompt, expected) > 0.01


@BOTH
def test_tends_to_the_patch_on_a_model(
    tiny_context: TaskContext, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real block the points of the quadrature are all that is missing."""
    method, patch = METHODS[kind]
    expected = effect(tiny_context, patch)
    few = deviation(method(tiny_context).per_prompt, expected)
    many = path.nodes(40)
    monkeypatch.setattr(path, "nodes", lambda: many)

    assert few > 1e-3
    assert deviation(method(tiny_context).per_prompt, expected) < 0.1 * few
