import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.gradients import eap_ig as module
from bench.methods.gradients.attribution_patching import attribution_patching
from bench.methods.gradients.eap_ig import STEPS, eap_ig
from bench.methods.write_difference import write_difference


def by_loop(ctx: TaskContext, positions: list[float]) -> np.ndarray:
    """Average gradients at the given positions of the path, one prompt at a time."""
    clean, corrupt = ctx.trace(ctx.prompts.clean), ctx.trace(ctx.prompts.corrupt)
    change = write_difference(clean, corrupt).double()
    total = torch.zeros_like(change)
    for a in positions:
        mixed = a * clean.embeddings + (1 - a) * corrupt.embeddings
        total += ctx.gradients(ctx.prompts.corrupt, embeddings=mixed)[1].double()
    products = change * total / len(positions)
    return products.sum(dim=(2, 3)).mean(dim=1).numpy()


def midpoints(steps: int) -> list[float]:
    """The middles of equal steps from 0 to 1."""
    return [(2 * k + 1) / (2 * steps) for k in range(steps)]


def with_steps(
    ctx: TaskContext, steps: int, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """Run the method with another number of steps."""
    monkeypatch.setattr(module, "STEPS", steps)
    return eap_ig(ctx).values


def test_equals_a_loop(tiny_context: TaskContext) -> None:
    """The gradients are averaged over the eight midpoints of the path."""
    expected = by_loop(tiny_context, midpoints(STEPS))

    assert np.abs(expected).min() > 1e-3
    np.testing.assert_allclose(eap_ig(tiny_context).values, expected, atol=1e-3)


def test_equals_attribution_patching_on_a_linear_model(
    linear_context: TaskContext,
) -> None:
    """Where the gradient is the same everywhere, the path does not matter."""
    np.testing.assert_allclose(
        eap_ig(linear_context).values,
        attribution_patching(linear_context).values,
        rtol=1e-3,
        atol=1e-3,
    )


def test_one_midpoint_is_exact_on_a_quadratic_model(
    quadratic_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Midpoints integrate a linear gradient exactly; steps from the corrupt end do not.

    The published rule k / m from k = 0 would miss half a step of the path.
    """
    ctx = quadratic_context
    one, many = (with_steps(ctx, steps, monkeypatch) for steps in (1, 16))
    left_ends = by_loop(ctx, [k / 8 for k in range(8)])

    np.testing.assert_allclose(one, many, rtol=1e-3, atol=1e-3)
    assert np.abs(left_ends - many).max() > 20 * np.abs(one - many).max()


def test_clean_and_corrupt_ends_are_treated_alike(
    quadratic_context: TaskContext,
) -> None:
    """On a quadratic model it is the mean of the gradients at the two ends."""
    ctx = quadratic_context

    np.testing.assert_allclose(
        eap_ig(ctx).values, by_loop(ctx, [0.0, 1.0]), rtol=1e-3, atol=1e-3
    )


def test_converges_quadratically(
    quartic_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a smooth path, doubling the steps divides the error by four."""
    limit, *found = (
        with_steps(quartic_context, steps, monkeypatch) for steps in (64, 1, 2, 4)
    )
    errors = [np.abs(values - limit).max() for values in found]

    assert errors[0] > 0.01 * np.abs(limit).max()
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)
    assert errors[1] / errors[2] == pytest.approx(4.0, rel=0.2)


def test_more_steps_change_little(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight steps are near sixty-four on a real model, nearer than two."""
    limit, coarse, used = (
        with_steps(tiny_context, steps, monkeypatch) for steps in (64, 2, STEPS)
    )

    assert np.abs(used - limit).max() < np.abs(coarse - limit).max()


def test_differs_from_attribution_patching(tiny_context: TaskContext) -> None:
    """On a real block the gradient varies along the path."""
    gap = eap_ig(tiny_context).values - attribution_patching(tiny_context).values

    assert np.abs(gap).max() > 0.01
