"""Evaluate one method on one task: attribution, own null, cost, provenance."""

from collections.abc import Callable
from dataclasses import replace

import torch

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import Progress, new_generator, open_task
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.models.counting import forward_equivalents
from bench.models.loading import untrained_like
from bench.profiles.attribution import LayerAttribution
from bench.results.attribution_record import (
    AttributionRecord,
    MethodKey,
    task_key,
)
from bench.results.provenance import take_provenance
from bench.tasks.registry import PACKAGE
from bench.tasks.spec import Task

COUNTED_PROMPTS = 4
"""The cost is counted on a few prompts in a run of its own: counting slows a run down,
and forward-equivalents do not depend on the number of prompts."""

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
    )


def evaluate_task(
    found: FoundMethod, task: Task, *, device: str, seed: int, stage: Stage
) -> AttributionRecord:
    """Run a method on a task's discovery prompts.

    Raises:
        MethodFailedError: The method raised, or its answer cannot be used.
        UserError: The task's files, model or device cannot be used.
    """
    ctx = open_task(task, device=device, seed=seed, progress=stage("attribution"))
    answer, wall = run_method(found, ctx)
    untrained, untrained_reason = _on_untrained(
        found, replace(ctx, progress=stage("untrained null")), seed=seed
    )
    cost, cost_reason = _cost(found, ctx, seed=seed)
    return AttributionRecord(
        task=task_key(task),
        method=method_key(found),
        values=tuple(answer.values.tolist()),
        per_prompt=None
        if answer.per_prompt is None
        else tuple(tuple(row) for row in answer.per_prompt.tolist()),
        untrained=None if untrained is None else tuple(untrained.values.tolist()),
        untrained_reason=untrained_reason,
        cost_forward_equivalents=cost,
        cost_reason=cost_reason,
        wall_s=wall,
        provenance=take_provenance(
            device=str(ctx.device),
            dtype=str(ctx.subject.dtype).removeprefix("torch."),
            threads=torch.get_num_threads(),
            seed=seed,
            checkout=PACKAGE.parent,
        ),
    )


def _on_untrained(
    found: FoundMethod, ctx: TaskContext, *, seed: int
) -> tuple[LayerAttribution | None, str | None]:
    """Run the method on an untrained model: what it finds where nothing is."""
    model = untrained_like(ctx.subject, seed=seed)
    blank = replace(ctx, subject=model, generator=new_generator(model, seed=seed))
    try:
        return run_method(found, blank)[0], None
    except MethodFailedError as error:
        return None, str(error)


def _cost(
    found: FoundMethod, ctx: TaskContext, *, seed: int
) -> tuple[float | None, str | None]:
    few = replace(
        ctx.first_prompts(COUNTED_PROMPTS),
        generator=new_generator(ctx.subject, seed=seed),
        progress=lambda _done, _total: None,
    )
    try:
        cost = forward_equivalents(
            ctx.subject, few.prompts, lambda: run_method(found, few)
        )
    except MethodFailedError as error:
        return None, f"on {COUNTED_PROMPTS} prompts: {error}"
    return cost, None
