import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.gradients.gradient import gradient_norm, gradient_x_activation
from bench.methods.protocol import Method
from tests.methods.naive_llama import NaiveTask, deviation, dot, stand_at

METHODS: dict[str, Method] = {
    "gradient-x-activation": gradient_x_activation,
    "gradient-norm": gradient_norm,
}


def by_loop(
    ctx: TaskContext, name: str, *, at: str = "clean", above: int = 1
) -> np.ndarray:
    """Go through the copy sites one by one."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        run, gradients = task.gradients(at, p)
        for s in range(task.n_sections):
            slope = gradients[min(s + above, task.n_sections)]
            for site in task.sites[p]:
                if name == "gradient-norm":
                    length = float((slope[site] ** 2).sum()) ** 0.5
                    values[p, s] += length / len(task.sites[p])
                else:
                    values[p, s] += dot(run.points[s + 1][site], slope[site])
    return values


@pytest.mark.parametrize("name", METHODS)
def test_equals_a_loop(tiny_context: TaskContext, name: str) -> None:
    """State and gradient after each section, at the copy sites of the clean run."""
    expected = by_loop(tiny_context, name)

    # after the last section a state has no direction along which its norm grows
    assert np.abs(expected[:, :-1]).max(axis=0).min() > 0.01
    assert deviation(METHODS[name](tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("gradient-x-activation", {"at": "corrupt"}),
        ("gradient-norm", {"at": "corrupt"}),
        ("gradient-norm", {"above": 2}),
    ],
)
def test_run_and_place_matter(
    tiny_context: TaskContext, name: str, spoilt: dict
) -> None:
    """The corrupt run, or the gradient one section on, gives something else."""
    expected = by_loop(tiny_context, name, **spoilt)

    assert deviation(METHODS[name](tiny_context).per_prompt, expected) > 0.01


def test_product_passes_by_the_next_section(tiny_context: TaskContext) -> None:
    """State times gradient is the same one section on, so it says nothing of that one.

    Every section reads through a norm, which does not see how long the state is.
    """
    expected = by_loop(tiny_context, "gradient-x-activation", above=2)
    two_on = by_loop(tiny_context, "gradient-x-activation", above=3)
    found = gradient_x_activation(tiny_context).per_prompt

    # up to the norm's epsilon
    assert deviation(found, expected) < 1e-3
    assert deviation(found, two_on) > 0.01


def test_product_equals_a_finite_difference(tiny_context: TaskContext) -> None:
    """It is how fast the behaviour grows as the states at copy sites are scaled up."""
    task, small = NaiveTask(tiny_context), 1e-5
    expected = np.zeros((3, 4))
    for p in task.all:
        mask = task.mask(task.sites[p])
        for s in range(4):
            state = task.run("clean", p).points[s + 1]
            up, down = (
                task.value("clean", p, changes={s: stand_at((1 + step) * state, mask)})
                for step in (small, -small)
            )
            expected[p, s] = (up - down) / (2 * small)

    assert deviation(gradient_x_activation(tiny_context).per_prompt, expected) < 1e-4


def test_last_state_is_scale_free(tiny_context: TaskContext) -> None:
    """Behind a norm without offset, scaling the last state changes nothing."""
    found = gradient_x_activation(tiny_context).per_prompt

    assert found is not None
    assert np.abs(found[:, -1]).max() < 1e-4 * np.abs(found).max()


def test_norm_is_the_steepest_slope(tiny_context: TaskContext) -> None:
    """No direction raises the behaviour faster than the gradient's, by its length."""
    task, small = NaiveTask(tiny_context), 1e-5
    found = gradient_norm(tiny_context).per_prompt
    generator = torch.Generator().manual_seed(0)
    expected = np.zeros((3, 4))
    for p in task.all:
        run, gradients = task.gradients("clean", p)
        plain = task.value("clean", p)
        for s in range(4):
            state = run.points[s + 1].detach()
            for site in task.sites[p]:
                own = gradients[s + 1][site]
                other = torch.randn(16, generator=generator).double()
                slopes = []
                for direction in (own, other):
                    step = torch.zeros_like(state)
                    step[site] = small * direction / direction.norm()
                    moved = stand_at(state + step, task.mask([site]))
                    change = task.value("clean", p, changes={s: moved})
                    slopes.append((change - plain) / small)
                assert abs(slopes[1]) < slopes[0]
                expected[p, s] += slopes[0] / 7

    assert deviation(found, expected) < 1e-3


def test_linear_model_has_one_product(linear_context: TaskContext) -> None:
    """Where the model is linear, the last state times its gradient is the behaviour."""
    ctx = linear_context
    found = gradient_x_activation(ctx).per_prompt
    whole = ctx.metric_of(ctx.trace(ctx.prompts.clean)).numpy()

    assert found is not None
    assert deviation(found[:, -1], whole) < 1e-4
