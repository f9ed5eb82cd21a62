"""Evaluate one method on one task: attribution, own nulls, cost, provenance."""

from collections.abc import Callable

import torch

from bench.errors import MethodFailedError, RunFailedError
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask, Progress
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.counting import forward_equivalents
from bench.profiles.attribution import LayerAttribution
from bench.results.attribution_record import (
    AttributionRecord,
    MethodKey,
    task_key,
)
from bench.results.provenance import take_provenance
from bench.tasks.registry import PACKAGE
from bench.tasks.spec import as_prose, as_text

FEW_PROMPTS = 8
"""Prompts of the run whose cost is counted: counting slows a run down, so that it is
never the timed one, and what grows with the prompts does so in proportion."""

Stage = Callable[[str], Progress]
"""Announce a stage and return its progress callback."""


def method_key(found: FoundMethod) -> MethodKey:
    """Return a method's key."""
    return MethodKey(
        name=found.method.name,
        kind=found.method.kind,
        origin=found.origin,
        source=as_text(found.source),
        source_sha256=found.source_sha256,
        summary=as_text(found.method.summary),
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
    few = opened.control_context(stage("control prompts")).first_prompts(FEW_PROMPTS)
    control, control_reason, cost = _counted(found, few)
    cost_reason = None
    if cost is None:
        few = opened.context(stage("cost")).first_prompts(FEW_PROMPTS)
        _, cost_reason, cost = _counted(found, few)
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


Values = tuple[float, ...]


def _null(found: FoundMethod, ctx: TaskContext) -> tuple[Values | None, str | None]:
    """Run the method where there is nothing to find; say why if it cannot."""
    try:
        return tuple(run_method(found, ctx)[0].values.tolist()), None
    except MethodFailedError as error:
        return None, as_prose(str(error))


def _counted(
    found: FoundMethod, ctx: TaskContext
) -> tuple[Values | None, str | None, float | None]:
    """Run the method and count its forward-equivalents; say why if it cannot."""
    answers: list[LayerAttribution] = []
    try:
        cost = forward_equivalents(
            ctx.subject, ctx.prompts, lambda: answers.append(run_method(found, ctx)[0])
        )
    except RunFailedError as error:
        return None, as_prose(f"on {len(ctx.prompts)} prompts: {error}"), None
    return tuple(answers[0].values.tolist()), None, cost
