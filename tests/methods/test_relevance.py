from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from bench.methods.context import TaskContext
from bench.methods.gradients.attribution_patching import noising
from bench.methods.protocol import Method
from bench.methods.relevance.attn_lrp import RULES as LRP
from bench.methods.relevance.attn_lrp import attn_lrp
from bench.methods.relevance.gim import RULES as GIM
from bench.methods.relevance.gim import gim
from bench.methods.relevance.relp import RULES as RELP
from bench.methods.relevance.relp import relp
from bench.models.architectures.registry import KNOWN
from bench.models.backward_rules import BackwardRules
from bench.models.subject import SubjectModel
from tests.methods.naive_llama import NaiveTask, Rules, deviation, dot, random_model

NAIVE_RELP = Rules(
    frozen_norms=True, secants=True, half_gates=True, frozen_patterns=True
)
NAIVE_LRP = Rules(
    frozen_norms=True,
    secants=True,
    half_gates=True,
    query=0.25,
    key=0.25,
    value=0.5,
)
NAIVE_GIM = Rules(frozen_norms=True, query=0.25, key=0.25, value=0.5, temperature=2.0)

METHODS: dict[str, tuple[Method, Rules, str, bool]] = {
    "relp": (relp, NAIVE_RELP, "corrupt", True),
    "attn-lrp": (attn_lrp, NAIVE_LRP, "clean", False),
    "gim": (gim, NAIVE_GIM, "clean", True),
}
"""Each with its rules, the run of its gradient, and whether it takes the contrast."""

SPOILT = [
    ("relp", {"frozen_norms": False}),
    ("relp", {"secants": False}),
    ("relp", {"half_gates": False}),
    ("relp", {"frozen_patterns": False}),
    ("attn-lrp", {"frozen_norms": False}),
    ("attn-lrp", {"secants": False}),
    ("attn-lrp", {"half_gates": False}),
    ("attn-lrp", {"query": 0.5}),
    ("attn-lrp", {"key": 0.5}),
    ("attn-lrp", {"value": 1.0}),
    ("attn-lrp", {"temperature": 2.0}),
    ("gim", {"frozen_norms": False}),
    ("gim", {"query": 1.0}),
    ("gim", {"key": 1.0}),
    ("gim", {"value": 1.0}),
    ("gim", {"temperature": 1.0}),
    ("gim", {"secants": True}),
    ("gim", {"half_gates": True}),
]


def by_loop(
    ctx: TaskContext, rules: Rules, at: str, *, contrast: bool, above: int = 1
) -> np.ndarray:
    """Multiply writes, or their contrasts, by the gradient of the state above them."""
    task = NaiveTask(ctx)
    values = np.zeros((len(task), task.n_sections))
    for p in task.all:
        run, gradients = task.gradients(at, p, rules=rules)
        clean, corrupt = task.run("clean", p), task.run("corrupt", p)
        for s in range(task.n_sections):
            what = clean.writes[s] - corrupt.writes[s] if contrast else run.writes[s]
            gradient = gradients[min(s + above, task.n_sections)]
            values[p, s] = dot(what, gradient)
    return values


@pytest.mark.parametrize("name", METHODS)
def test_equals_a_hand_written_model(tiny_context: TaskContext, name: str) -> None:
    """Every prompt's values follow from the rules as published."""
    method, rules, at, contrast = METHODS[name]
    expected = by_loop(tiny_context, rules, at, contrast=contrast)

    assert np.abs(expected).max(axis=0).min() > 0.01
    assert deviation(method(tiny_context).per_prompt, expected) < 1e-4


@pytest.mark.parametrize("name", METHODS)
def test_equals_it_where_heads_share_keys(
    make_context: Callable[[SubjectModel], TaskContext], name: str
) -> None:
    """Factors and softmaxes are those of each query's own head."""
    ctx = make_context(random_model("llama", heads=4, shared=2))
    method, rules, at, contrast = METHODS[name]
    expected = by_loop(ctx, rules, at, contrast=contrast)

    assert deviation(method(ctx).per_prompt, expected) < 1e-4


@pytest.mark.parametrize(("name", "change"), SPOILT)
def test_every_rule_matters(
    tiny_context: TaskContext, name: str, change: dict[str, Any]
) -> None:
    """With one rule replaced the second implementation gives something else."""
    method, rules, at, contrast = METHODS[name]
    spoilt = by_loop(tiny_context, replace(rules, **change), at, contrast=contrast)

    assert deviation(method(tiny_context).per_prompt, spoilt) > 0.01


@pytest.mark.parametrize("name", METHODS)
def test_run_and_place_of_the_gradient_matter(
    tiny_context: TaskContext, name: str
) -> None:
    """The other run's gradient, or the gradient one section on, is something else."""
    method, rules, at, contrast = METHODS[name]
    found = method(tiny_context).per_prompt
    other = "clean" if at == "corrupt" else "corrupt"
    swapped = by_loop(tiny_context, rules, other, contrast=contrast)
    shifted = by_loop(tiny_context, rules, at, contrast=contrast, above=2)

    assert deviation(found, swapped) > 0.01
    assert deviation(found, shifted) > 0.01


def test_without_rules_it_is_attribution_patching(
    tiny_context: TaskContext,
) -> None:
    """The hand-written loop without rules is attribution patching at the clean run."""
    expected = by_loop(tiny_context, Rules(), "clean", contrast=True)

    assert deviation(noising(tiny_context).per_prompt, expected) < 1e-4
    assert deviation(gim(tiny_context).per_prompt, expected) > 0.01


def test_relevance_of_relp_is_conserved(tiny_context: TaskContext) -> None:
    """At every depth state times coefficient sums to the behaviour.

    With constant patterns, statistics and secants the model is homogeneous of degree
    one, but for the gates' product, of degree two, which the half rule makes one.
    """
    ctx = tiny_context
    trace, gradients = ctx.gradients(ctx.prompts.clean, rules=RELP)
    totals = (torch.stack(trace.states) * gradients).sum(dim=(2, 3))
    whole = ctx.metric_of(trace)

    assert whole.abs().min() > 0.01
    assert_close(totals, whole.expand_as(totals), rtol=1e-4, atol=1e-4)
    without_half = replace(RELP, gates=False)
    trace, gradients = ctx.gradients(ctx.prompts.clean, rules=without_half)
    spoilt = (torch.stack(trace.states) * gradients).sum(dim=(2, 3))
    assert (spoilt[0] - whole).abs().max() > 0.01


def test_only_the_softmax_leaks_relevance_of_attn_lrp(
    tiny_context: TaskContext,
) -> None:
    """What is missing at a depth is what softmaxes above it took in and did not pass.

    A softmax differentiated as it is receives the relevance of its pattern, half of
    pattern times gradient, and passes on scores times their gradient.
    """
    ctx = tiny_context
    trace, gradients = ctx.gradients(ctx.prompts.clean, rules=LRP)
    totals = (torch.stack(trace.states) * gradients).sum(dim=(2, 3)).double().numpy()
    task = NaiveTask(ctx)
    for p in task.all:
        run = task.llama.run(task.start("clean", p).requires_grad_(), rules=NAIVE_LRP)
        whole = task.behaviour(p, run.logits)
        leaks = []
        for heads in run.heads:
            places = [x for head in heads for x in (head.pattern, head.scores)]
            found = torch.autograd.grad(whole, places, retain_graph=True)
            relevance = [
                dot(x.clamp(min=-1e9), g) / 2
                for x, g in zip(places, found, strict=True)
            ]
            leaks.append(sum(relevance[0::2]) - sum(relevance[1::2]))
        assert abs(leaks[1]) > 0.01
        # states after attn 0 and mlp 0 lie below the attention of block 1
        expected = whole.item() - np.array([leaks[1], leaks[1], 0.0, 0.0])
        np.testing.assert_allclose(totals[:, p], expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(params=sorted(KNOWN))
def homogeneous(request: pytest.FixtureRequest) -> SubjectModel:
    """A random model of each architecture without biases."""
    model = random_model(request.param)
    for name, parameter in model.module.named_parameters():
        if name.endswith("bias"):
            parameter.zero_()
    return model


def test_relevance_is_conserved_in_every_architecture(
    homogeneous: SubjectModel, make_context: Callable[[SubjectModel], TaskContext]
) -> None:
    """The rules reach every norm, activation and gate of every architecture."""
    ctx = make_context(homogeneous)
    trace, gradients = ctx.gradients(ctx.prompts.clean, rules=RELP)
    totals = (torch.stack(trace.states) * gradients).sum(dim=(2, 3))
    whole = ctx.metric_of(trace)

    assert whole.abs().max() > 0.01
    # the state inside a parallel block is read by nothing
    sections = slice(1, None, 2) if homogeneous.architecture.parallel else slice(None)
    totals = totals[sections]
    assert_close(totals, whole.expand_as(totals), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("rules", [RELP, LRP, GIM], ids=["relp", "attn-lrp", "gim"])
def test_rules_change_no_value(
    homogeneous: SubjectModel,
    make_context: Callable[[SubjectModel], TaskContext],
    rules: BackwardRules,
) -> None:
    """Runs under rules are the runs without them; gradients are others."""
    ctx = make_context(homogeneous)
    plain, slopes = ctx.gradients(ctx.prompts.clean)
    ruled, other = ctx.gradients(ctx.prompts.clean, rules=rules)

    assert_close(ruled.points, plain.points, rtol=1e-5, atol=1e-5)
    assert_close(ruled.logits, plain.logits, rtol=1e-5, atol=1e-5)
    assert (slopes - other).abs().max() > 0.01 * slopes.abs().max()
