"""The cookbook's methods run, and it quotes them as they are."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.methods.context import TaskContext
from bench.methods.discovery import find_method
from bench.methods.patching.write_patching import denoising
from bench.methods.protocol import Method
from bench.profiles.attribution import LayerAttribution, as_writes, check_shape

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "writing-methods.md").read_text()
EXAMPLES = sorted(path.name for path in (DOCS / "examples").glob("*.py"))


def per_prompt(answer: LayerAttribution) -> np.ndarray:
    """Take the numbers of each prompt."""
    assert answer.per_prompt is not None
    return answer.per_prompt


def example(name: str) -> Method:
    """Load an example as the command line does."""
    return find_method(str(DOCS / "examples" / name)).method


@pytest.fixture
def run(tiny_context: TaskContext) -> Callable[..., LayerAttribution]:
    """Run an example with a fresh generator."""

    def answer(name: str, *, seed: int = 0, **changes: object) -> LayerAttribution:
        generator = torch.Generator().manual_seed(seed)
        return example(name)(replace(tiny_context, generator=generator, **changes))

    return answer


@pytest.mark.parametrize("name", EXAMPLES)
def test_answers(name: str, run: Callable[..., LayerAttribution]) -> None:
    """Finite numbers of each prompt, that differ between prompts and sections."""
    answer = run(name)
    check_shape(answer, n_sections=4)
    writes = per_prompt(as_writes(answer, kind=example(name).kind))

    assert writes.shape == (3, 4)
    assert np.isfinite(writes).all()
    assert np.ptp(writes, axis=0).min() > 1e-2
    assert np.ptp(writes, axis=1).min() > 1e-2
    assert writes.max() > 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_repeats_itself(name: str, run: Callable[..., LayerAttribution]) -> None:
    """Equal seeds give equal answers, and batches do not matter."""
    together = run(name)

    np.testing.assert_array_equal(run(name).values, together.values)
    np.testing.assert_allclose(
        per_prompt(run(name, at_once=2)), per_prompt(together), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_says_what_it_is(name: str) -> None:
    """Each has a summary."""
    assert example(name).summary.endswith(".")


def test_gradient_x_write_is_the_slope_of_scaling(
    tiny_context: TaskContext, run: Callable[..., LayerAttribution]
) -> None:
    """A write that is a thousandth larger and smaller changes the behaviour by it."""
    ids = tiny_context.prompts.clean
    slopes = []
    for section in range(tiny_context.n_sections):
        up, down = (
            tiny_context.edited_metric(ids, {section: lambda w, _r, c=c: c * w})
            for c in (1.001, 0.999)
        )
        slopes.append((up - down) / 0.002)
    expected = torch.stack(slopes, dim=1).numpy()

    found = per_prompt(run("gradient_x_write.py"))
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=2e-3)


def test_restoring_the_last_write_at_its_sites_is_restoring_it(
    tiny_context: TaskContext, run: Callable[..., LayerAttribution]
) -> None:
    """From the last attention on positions do not mix; before it they do."""
    everywhere = per_prompt(denoising(tiny_context))
    found = per_prompt(run("restore_at_sites.py"))

    assert np.abs(everywhere).min() > 1e-2
    np.testing.assert_allclose(found[:, 2:], everywhere[:, 2:], rtol=1e-4)
    assert np.abs(found - everywhere)[:, :2].min() > 1e-2


def test_noise_comes_from_the_generator(run: Callable[..., LayerAttribution]) -> None:
    """Another seed is another answer, and progress counts the draws."""
    calls: list[tuple[int, int]] = []
    one = run("noised_state.py", progress=lambda *call: calls.append(call))
    other = run("noised_state.py", seed=1)

    assert np.abs(one.values - other.values).max() > 1e-2
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_page_quotes_every_example_as_it_is() -> None:
    """A block after a link to an example is that file."""
    pattern = r"\(examples/(\w+\.py)\)\n\n```python\n(.*?)```"
    quoted = dict(re.findall(pattern, PAGE, flags=re.DOTALL))

    assert sorted(quoted) == EXAMPLES
    for name, text in quoted.items():
        assert text == (DOCS / "examples" / name).read_text()


def test_the_page_lists_what_a_context_offers() -> None:
    """Every public name of TaskContext, and no other."""
    names = {*vars(TaskContext), *(field.name for field in fields(TaskContext))}
    public = {name for name in names if not name.startswith("_")}
    listed = re.findall(r"^\| `ctx\.(\w+)", PAGE, flags=re.MULTILINE)

    assert len(listed) == len(set(listed))
    assert set(listed) == public
