"""Differentiate a metric with respect to places inside the model.

Shapes: B rows, T positions, d width, S sections, L blocks, H heads, k their width.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bench.errors import MethodError
from bench.models.attention import HeadRun, observed_heads
from bench.models.backward_rules import BackwardRules, backward_rules
from bench.models.edits import Edit
from bench.models.reads import separate_reads
from bench.models.rerun import rerun
from bench.models.run import run
from bench.models.subject import SubjectModel
from bench.models.trace import Trace

Metric = Callable[[Trace], Tensor]
"""A run's value on each row, [B]."""
NormedMetric = Callable[[Tensor], Tensor]
"""The same from what the unembedding reads, [B, T, d]."""

NO_RULES = BackwardRules()


@dataclass(frozen=True)
class HeadGradients:
    """What the heads of one block did, and what the metric makes of it."""

    run: HeadRun
    pattern: Float[Tensor, "B H T T"]
    """dM/d(pattern)."""
    value: Float[Tensor, "B H T k"]
    """dM/d(value)."""
    output: Float[Tensor, "B T H k"]
    """dM/d(output)."""


def write_gradients(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    metric: Metric,
    *,
    embeddings: Float[Tensor, "B T d"],
    rules: BackwardRules = NO_RULES,
) -> tuple[Trace, Float[Tensor, "S B T d"]]:
    """Run from embeddings and differentiate with respect to every write."""
    start = embeddings.detach().requires_grad_()
    with backward_rules(model, rules):
        trace = run(model, ids, embeddings=start)
        gradients = _differentiate(metric(trace), trace.writes)
    return trace.detached(), torch.stack(gradients)


def state_gradient(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    metric: NormedMetric,
    *,
    state: Float[Tensor, "B T d"],
    put: Callable[[Tensor], Mapping[int, Edit]],
    base: Trace,
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B T d"]]:
    """Put a state into a run, and differentiate with respect to it.

    Args:
        model: The subject model.
        ids: Token ids, which only set the shape.
        metric: What to differentiate.
        state: The state.
        put: From the state to the edits that put it in.
        base: The trace of the same ids without edits.

    Returns:
        The metric of each row, and its gradient.
    """
    state = state.detach().requires_grad_()
    values = metric(rerun(model, ids, put(state), base=base))
    return values.detach(), _differentiate(values, [state])[0]


def read_gradients(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    metric: Metric,
    *,
    embeddings: Float[Tensor, "B T d"],
) -> tuple[Trace, Float[Tensor, "readers B T d"]]:
    """Differentiate with respect to what each section, and the last norm, reads."""
    start = embeddings.detach().requires_grad_()
    with separate_reads(model) as reads:
        trace = run(model, ids, embeddings=start)
    places = [reads[reader] for reader in range(model.n_sections + 1)]
    return trace.detached(), torch.stack(_differentiate(metric(trace), places))


def head_gradients(
    model: SubjectModel,
    ids: Int[Tensor, "B T"],
    metric: Metric,
    *,
    embeddings: Float[Tensor, "B T d"],
    edits: Mapping[int, Edit] | None = None,
) -> tuple[Trace, Float[Tensor, "S B T d"], tuple[HeadGradients, ...]]:
    """Differentiate with respect to writes, patterns, values and outputs of heads."""
    start = embeddings.detach().requires_grad_()
    with observed_heads(model) as runs:
        trace = run(model, ids, embeddings=start, edits=edits)
    inner = [x for r in runs for x in (r.pattern, r.value, r.output)]
    found = _differentiate(metric(trace), [*trace.writes, *inner])
    n = model.n_sections
    heads = tuple(
        HeadGradients(r.detached(), *found[n + 3 * i : n + 3 * i + 3])
        for i, r in enumerate(runs)
    )
    return trace.detached(), torch.stack(found[:n]), heads


def _differentiate(
    values: Float[Tensor, " B"], places: Sequence[Tensor]
) -> tuple[Tensor, ...]:
    """Differentiate; a place that the metric does not depend on has gradient 0.

    Raises:
        MethodError: The metric depends on none of them.
    """
    if not values.requires_grad:
        raise MethodError(
            "The metric does not depend on the model's writes, so it has no gradient. "
            "Compute it from the logits of the run that is differentiated, outside "
            "torch.no_grad() and without detach()."
        )
    found = torch.autograd.grad(values.sum(), places, allow_unused=True)
    if all(gradient is None for gradient in found):
        raise MethodError(
            "The metric has a gradient, but none with respect to the model's writes: "
            "it depends on something else. Compute it from the logits of the run."
        )
    return tuple(
        torch.zeros_like(place) if gradient is None else gradient
        for place, gradient in zip(places, found, strict=True)
    )
