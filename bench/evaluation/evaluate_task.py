"""Evaluate one method on one task: attribution, own nulls, cost, provenance."""

from collections.abc import Callable

import torch

from bench.errors import MethodFailedError, RunFailedError
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask, Progress
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.counting import forward_equivalents
from bench.results.attribution_record import (
    AttributionRecord,
    MethodKey,
    task_key,
)
from bench.results.provenance import take_provenance
from bench.tasks.registry import PACKAGE

COUNTED_PROMPTS = 4
"""The cost is counted on a few prompts in a run of its own: counting slows a run down,
and what grows with the prompts does so in proportion."""
CONTROL_PROMPTS = 8
"""What is shown and not counted need not be known as well."""

Stage = Callable[[str], Progress]
"""Announce a stage and return its progress callback."""


def method_key(found: FoundMethod) -> MethodKey:
    """Return a method's key."""
    return MethodKey(
        name=found.method.name,
        kind=found.method.kind,
        origin=found.origin,
        source=found.source,
        source_sha256=found.source_sha256,
        summary=found.method.summary,
        oracle=found.method.oracle,
    )


def evaluate_task(
    found: FoundMethod, opened: OpenedTask, *, stage: Stage
) -> AttributionRecord:
    """Run a method on a task's discovery prompts.

    Raises:
        MethodFailedError: The method raised, or its answer cannot be used.
        OutOfMemoryError: Not even one prompt fits into memory.
        UserError: The task's files, model or device cannot be used.
    """
    ctx = opened.context(stage("attribution"))
    answer, wall = run_method(found, ctx)
    untrained, untrained_reason = _null(
        found, opened.untrained_context(stage("untrained null"))
    )
    control, control_reason = _null(
        found,
        opened.control_context(stage("control prompts")).first_prompts(CONTROL_PROMPTS),
    )
    cost, cost_reason = _cost(found, opened)
    return AttributionRecord(
        task=task_key(opened.task),
        method=method_key(found),
        values=tuple(answer.values.tolist()),
        per_prompt=None
        if answer.per_prompt is None
        else tuple(tuple(row) for row in answer.per_prompt.tolist()),
        untrained=untrained,
        untrained_reason=untrained_reason,
        control=control,
        control_reason=control_reason,
        cost_forward_equivalents=cost,
        cost_reason=cost_reason,
        wall_s=wall,
        provenance=take_provenance(
            device=str(ctx.device),
            dtype=str(ctx.subject.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            seed=opened.seed,
            checkout=PACKAGE.parent,
        ),
    )


def _null(
    found: FoundMethod, ctx: TaskContext
) -> tuple[tuple[float, ...] | None, str | None]:
    """Run the method where there is nothing to find; say why if it cannot."""
    try:
        return tuple(run_method(found, ctx)[0].values.tolist()), None
    except MethodFailedError as error:
        return None, str(error)


def _cost(found: FoundMethod, opened: OpenedTask) -> tuple[float | None, str | None]:
    few = opened.context(lambda _done, _total: None).first_prompts(COUNTED_PROMPTS)
    try:
        cost = forward_equivalents(
            opened.subject, few.prompts, lambda: run_method(found, few)
        )
    except RunFailedError as error:
        return None, f"on {COUNTED_PROMPTS} prompts: {error}"
    return cost, None
