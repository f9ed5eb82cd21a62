import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bench.errors import AttributionError, MethodError
from bench.methods.context import TaskContext
from bench.methods.protocol import Method, method
from bench.models.behaviour import at_positions, centred_logit
from bench.models.edits import replace_write
from bench.models.run import run
from bench.profiles.attribution import LayerAttribution


def test_declared_method() -> None:
    """A declared method has its name, kind and docstring, and can be called."""

    @method("my-method-2", kind="state")
    def mine(ctx: TaskContext) -> LayerAttribution:
        """Say one.

        And more.
        """
        return LayerAttribution(np.ones(ctx.n_sections))

    assert isinstance(mine, Method)
    assert (mine.name, mine.kind, mine.summary) == ("my-method-2", "state", "Say one.")


def test_method_without_docstring() -> None:
    """A method that says nothing of itself has an empty summary."""

    @method("silent", kind="write")
    def silent(ctx: TaskContext) -> LayerAttribution:
        return LayerAttribution(np.ones(ctx.n_sections))

    assert silent.summary == ""


def test_declared_method_runs(tiny_context: TaskContext) -> None:
    """Calling a method calls its function."""

    @method("ones", kind="write")
    def ones(ctx: TaskContext) -> LayerAttribution:
        return LayerAttribution(np.ones(ctx.n_sections))

    assert ones(tiny_context).values.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "name",
    ["", "My-Method", "my method", "my_method", "m\u00b2", "-x", "a" * 65, "a\n"],
)
def test_bad_names_are_refused(name: str) -> None:
    """A name that could not be stored or submitted is refused at once."""
    with pytest.raises(MethodError, match="cannot name a method: use at most 64 lower"):
        method(name, kind="write")


def test_bad_kind_is_refused() -> None:
    """A kind that is none is answered with the two there are."""
    unchecked = inspect.unwrap(method)  # the types are not checked outside tests

    with pytest.raises(
        MethodError,
        match="Method 'mine' has kind 'writes'; expected one of write, state",
    ):
        unchecked("mine", kind="writes")


@pytest.mark.parametrize("name", ["a", "9", "a-b-2", "a" * 64])
def test_good_names_are_allowed(name: str) -> None:
    """Letters, digits and hyphens are allowed."""
    assert callable(method(name, kind="write"))


def test_context_shows_the_task(tiny_context: TaskContext) -> None:
    """The raw model, its sections and its device are at hand; no reference is."""
    assert tiny_context.model is tiny_context.subject.module
    assert tiny_context.n_sections == 4
    assert tiny_context.device.type == "cpu"
    assert not any("reference" in name for name in dir(tiny_context))
    tiny_context.progress(1, 2)


def test_metric_is_the_behaviour(tiny_context: TaskContext) -> None:
    """The metric is the mean centred logit of the targets."""
    logits = tiny_context.model(tiny_context.prompts.clean).logits

    assert_close(
        tiny_context.metric(logits), centred_logit(logits, tiny_context.prompts)
    )


def test_trace_tracks_no_gradients(tiny_context: TaskContext) -> None:
    """A trace is free of graphs even from embeddings that ask for gradients."""
    ids = tiny_context.prompts.clean
    start = tiny_context.subject.embed(ids).requires_grad_()

    trace = tiny_context.trace(ids, embeddings=start)

    assert not trace.logits.requires_grad


def test_edited_metric(tiny_context: TaskContext) -> None:
    """An edit changes the metric as it changes the logits."""
    ids = tiny_context.prompts.clean
    edits = {1: replace_write(torch.zeros(3, 17, 16))}
    logits = run(tiny_context.subject, ids, edits=edits).logits
    assert logits is not None

    found = tiny_context.edited_metric(ids, edits)

    assert_close(found, centred_logit(logits, tiny_context.prompts))
    assert not found.allclose(tiny_context.edited_metric(ids, {}), atol=0.01)


def test_gradients_are_slopes(tiny_context: TaskContext) -> None:
    """dM/dw is what a small push of a write does to the metric, prompt by prompt."""
    ids, step = tiny_context.prompts.clean, 3e-3
    trace, gradients = tiny_context.gradients(ids)
    push = torch.randn(3, 17, 16, generator=torch.Generator().manual_seed(0))

    assert gradients.shape == (4, 3, 17, 16)
    for section, write in enumerate(trace.writes):
        ahead, behind = (
            tiny_context.edited_metric(
                ids, {section: replace_write(write.detach() + s * push)}
            ).double()
            for s in (step, -step)
        )
        slope = (ahead - behind) / (2 * step)
        expected = (gradients[section] * push).sum(dim=(1, 2)).double()
        assert expected.abs().max() > 0.1
        assert_close(slope, expected, rtol=2e-2, atol=2e-3)


def test_gradients_from_embeddings(tiny_context: TaskContext) -> None:
    """With embeddings the ids only set the shape."""
    prompts = tiny_context.prompts
    start = tiny_context.subject.embed(prompts.corrupt)

    _, expected = tiny_context.gradients(prompts.corrupt)
    _, found = tiny_context.gradients(prompts.clean, embeddings=start)
    _, other = tiny_context.gradients(prompts.clean)

    assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert not other.allclose(expected, atol=0.01)


def test_attention_rows_sum_to_one(tiny_context: TaskContext) -> None:
    """Patterns are of every block and head, causal, and shares of attention."""
    found = tiny_context.attention(tiny_context.prompts.clean)

    assert found.shape == (2, 3, 2, 17, 17)
    assert_close(found.sum(dim=-1), torch.ones(2, 3, 2, 17), rtol=1e-4, atol=1e-4)
    assert found.triu(1).abs().max() == 0.0


def test_answer_is_the_mean_over_prompts(tiny_context: TaskContext) -> None:
    """Answers are float64 on the CPU, values the mean of the prompts'."""
    per_prompt = torch.arange(12.0).reshape(3, 4).requires_grad_()

    found = tiny_context.answer(per_prompt)

    assert found.values.tolist() == [4.0, 5.0, 6.0, 7.0]
    assert found.values.dtype == np.float64
    assert found.per_prompt is not None
    assert found.per_prompt.tolist() == per_prompt.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.ones(4), r"given \[4\]; expected .*, here \[3, 4\]\.$"),
        (torch.ones(4, 3), r"given \[4, 3\]; .* here \[3, 4\]\. It is transposed"),
    ],
)
def test_answer_of_another_shape_is_refused(
    given: Any, message: str, tiny_context: TaskContext
) -> None:
    """One number for each prompt and section is asked for where the line is."""
    with pytest.raises(AttributionError, match=message):
        tiny_context.answer(given)


@pytest.mark.parametrize("section", [-1, 4, 10**6])
def test_edits_of_no_section_are_refused(
    section: Any, tiny_context: TaskContext
) -> None:
    """An edit that would change nothing is a mistake, and is said to be one."""
    ids = tiny_context.prompts.clean

    with pytest.raises(ValueError, match=r"edits name sections .* sections 0 to 3"):
        run(tiny_context.subject, ids, edits={section: lambda w, _: w})


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda w, _: w.mean((0, 1)), r"\[16\]"),
        (lambda w, _: w[:1], r"\[1, 17, 16\]"),
        (lambda _w, _r: None, "NoneType"),
        (lambda _w, _r: torch.tensor(0.0), r"\[\]"),
    ],
)
def test_an_edit_must_return_a_write(
    edit: Any, found: str, tiny_context: TaskContext
) -> None:
    """Nothing is broadcast: with other prompts the edit would mean another thing."""
    expected = (
        rf"edit of section 1 returned {found}; expected a tensor of shape \[3, 17"
    )
    with pytest.raises(ValueError, match=expected):
        run(tiny_context.subject, tiny_context.prompts.clean, edits={1: edit})


def test_embeddings_and_base_exclude_each_other(tiny_context: TaskContext) -> None:
    """One of them would be ignored."""
    ids = tiny_context.prompts.clean
    base = tiny_context.trace(ids)

    with pytest.raises(
        ValueError, match="from base, the trace of the same prompts, or"
    ):
        tiny_context.trace(ids, base=base, embeddings=base.embeddings)


def test_first_prompts(tiny_context: TaskContext) -> None:
    """Fewer prompts, the same model and generator."""
    few = tiny_context.first_prompts(2)

    assert len(few.prompts) == 2
    assert few.prompts.corrupt.equal(tiny_context.prompts.corrupt[:2])
    assert few.subject is tiny_context.subject
    assert few.generator is tiny_context.generator


def test_the_metric_needs_no_logits(
    tiny_context: TaskContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behaviour read off a trace is that of its logits, which are not computed."""
    ctx = tiny_context
    expected = ctx.metric(ctx.model(ctx.prompts.clean).logits)
    trace = ctx.trace(ctx.prompts.clean)
    at_sites = at_positions(trace.logits, ctx.prompts.sites)
    monkeypatch.setattr(type(ctx.subject), "unembed", None)

    assert_close(ctx.metric_of(trace), expected, rtol=1e-5, atol=1e-5)
    monkeypatch.undo()
    assert_close(ctx.logits_at_sites(trace), at_sites)


def test_api_exports_what_the_protocol_needs() -> None:
    """The public module holds the names that a method file imports."""
    import bench.api

    names: dict[str, Callable | type] = {
        n: vars(bench.api)[n] for n in bench.api.__all__
    }
    assert names["method"] is method
    assert names["TaskContext"] is TaskContext
    assert names["LayerAttribution"] is LayerAttribution
