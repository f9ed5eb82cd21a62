import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from captum import attr

from bench.adapters.captum import from_captum
from bench.errors import (
    AttributionError,
    MethodError,
    MissingExtraError,
    UnknownNameError,
)
from bench.methods.context import TaskContext
from bench.methods.gradients.gradient import gradient_x_activation
from bench.methods.patching.activation_patching import noising
from bench.methods.patching.write_patching import noising as write_noising
from bench.methods.protocol import Method
from bench.profiles.attribution import Kind, LayerAttribution

Run = Callable[[Method], LayerAttribution]


def per_prompt(answer: LayerAttribution) -> np.ndarray:
    """Take the numbers of each prompt, not next to nothing before the last state."""
    assert answer.per_prompt is not None
    assert np.abs(answer.per_prompt)[:, :-1].min() > 1e-4  # 0 after the last norm
    return answer.per_prompt


def assert_equal(found: LayerAttribution, expected: np.ndarray) -> None:
    """Compare each prompt's numbers to one part in ten thousand of the largest."""
    np.testing.assert_allclose(
        per_prompt(found), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()
    )


def test_of_kind_state_equals_gradient_x_activation(
    unchanged: Run, tiny_context: TaskContext
) -> None:
    """A state is taken at the copy sites; the model is left as it was."""
    made = from_captum("ours", "LayerGradientXActivation", kind="state")

    assert_equal(unchanged(made), per_prompt(gradient_x_activation(tiny_context)))


def test_of_kind_write_equals_write_times_gradient(
    unchanged: Run, tiny_context: TaskContext
) -> None:
    """A write is taken at all positions; a class serves as well as its name."""
    trace, gradients = tiny_context.gradients(tiny_context.prompts.clean)
    expected = (torch.stack(trace.writes) * gradients).sum(dim=(2, 3)).T
    made = from_captum("ours", attr.LayerGradientXActivation, kind="write")

    assert_equal(unchanged(made), expected.double().numpy())


@pytest.mark.parametrize(
    ("kind", "patching"), [("state", noising), ("write", write_noising)]
)
def test_integrated_gradients_add_up_to_patching(
    unchanged: Run, tiny_context: TaskContext, kind: Kind, patching: Method
) -> None:
    """Baselines are the corrupt prompts, and the rest of the run is the clean one."""
    clean = tiny_context.trace(tiny_context.prompts.clean)
    corrupt = tiny_context.trace(tiny_context.prompts.corrupt)
    gap = float(tiny_context.gap(clean, corrupt))
    made = from_captum("ours", "LayerIntegratedGradients", kind=kind, n_steps=64)

    assert_equal(unchanged(made), gap * per_prompt(patching(tiny_context)))


@pytest.mark.parametrize("name", ["LayerConductance", "InternalInfluence"])
def test_batches_do_not_matter(tiny_context: TaskContext, name: str) -> None:
    """Rows that captum repeats keep their prompt, however many run together."""
    made = from_captum("ours", name, kind="state", n_steps=6)
    in_parts = from_captum(
        "parts", name, kind="state", n_steps=6, internal_batch_size=7
    )
    expected = per_prompt(made(tiny_context))

    assert_equal(made(replace(tiny_context, at_once=2)), expected)
    assert_equal(in_parts(tiny_context), expected)


def test_options_reach_constructor_and_attribute(tiny_context: TaskContext) -> None:
    """The gradient without the activation is what a partial asks for."""
    gradient = partial(attr.LayerGradientXActivation, multiply_by_inputs=False)
    _, gradients = tiny_context.gradients(tiny_context.prompts.clean)
    expected = (gradients * tiny_context.prompts.site_mask).sum(dim=(2, 3)).T
    few, more = (
        from_captum("ours", "LayerConductance", kind="write", n_steps=n)(tiny_context)
        for n in (2, 8)
    )

    made = from_captum("ours", gradient, kind="state")
    assert_equal(made(tiny_context), expected.double().numpy())
    assert np.abs(few.values - more.values).max() > 1e-3


def test_says_what_it_is_and_how_far() -> None:
    """The method has the name, the kind and a summary, and reports progress."""
    made = from_captum("ours", "LayerConductance", kind="state")

    assert (made.name, made.kind) == ("ours", "state")
    assert made.summary == "Attribute with captum's LayerConductance."


def test_reports_progress(tiny_context: TaskContext) -> None:
    """Once a section."""
    calls: list[tuple[int, int]] = []
    ctx = replace(tiny_context, progress=lambda *call: calls.append(call))
    from_captum("ours", "LayerActivation", kind="state")(ctx)

    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_says_that_captum_is_missing(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to get it."""
    monkeypatch.setitem(sys.modules, "captum", None)
    made = from_captum("ours", "LayerActivation", kind="state")

    with pytest.raises(MissingExtraError, match=r"'captum'.*induction-bench\[captum\]"):
        made(tiny_context)


def test_says_which_classes_there_are(tiny_context: TaskContext) -> None:
    """A name that captum does not have is answered with those that it has."""
    made = from_captum("ours", "LayerConductence", kind="state")

    with pytest.raises(UnknownNameError, match=r"Did you mean 'LayerConductance'\?"):
        made(tiny_context)


@pytest.mark.parametrize("name", ["LayerDeepLift", "LayerLRP", "IntegratedGradients"])
def test_refuses_what_takes_a_module_apart(
    tiny_context: TaskContext, name: str
) -> None:
    """Nor what takes no layer: there is nothing it could be asked about."""
    made = from_captum("ours", name, kind="state")

    with pytest.raises(MethodError, match=rf"captum's {name} is not made from a"):
        made(tiny_context)


def test_refuses_an_answer_of_another_shape(tiny_context: TaskContext) -> None:
    """A class that sums over positions itself cannot be asked about copy sites."""
    made = from_captum("ours", "LayerGradCam", kind="state")

    with pytest.raises(AttributionError, match=r"LayerGradCam answered with \[3, 1, "):
        made(tiny_context)
