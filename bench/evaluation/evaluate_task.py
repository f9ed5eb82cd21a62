"""Evaluate one method on one task: attribution, own nulls, cost, provenance."""

from collections.abc import Callable

from bench.errors import MethodFailedError, OutOfMemoryError
from bench.evaluation.contexts import Progress
from bench.evaluation.keys import method_key
from bench.evaluation.parts import (
    ATTRIBUTION,
    CONTROL,
    COST,
    UNTRAINED,
    Part,
    Parts,
)
from bench.methods.context import TaskContext
from bench.models.counting import forward_equivalents
from bench.profiles.attribution import LayerAttribution
from bench.results.attribution_record import AttributionRecord, task_key
from bench.tasks.spec import as_prose

FEW_PROMPTS = 8
"""Prompts of the run whose cost is counted: counting slows a run down, so that it is
never the timed one, and what grows with the prompts does so in proportion."""

Stage = Callable[[str], Progress]
"""Announce a stage and return its progress callback."""


def evaluate_task(parts: Parts, *, stage: Stage) -> AttributionRecord:
    """Run a method on a task's discovery prompts, but for the parts that are kept.

    Raises:
        MethodFailedError: The method raised, or its answer cannot be used.
        OutOfMemoryError: Not even one prompt fits into memory.
        NoRoomError: A part could not be kept.
        UserError: The task's files, model or device cannot be used.
    """
    opened = parts.opened
    answer, entry = parts.take(ATTRIBUTION, lambda: _attribution(parts, stage))
    untrained, untrained_reason = _null(
        parts, lambda: opened.untrained_context(stage("untrained null"))
    )
    control, control_reason = _counted(
        parts, CONTROL, lambda: opened.control_context(stage("control prompts"))
    )
    cost, cost_reason = control, control_reason
    if control is None:
        cost, cost_reason = _counted(parts, COST, lambda: opened.context(stage("cost")))
    return AttributionRecord(
        task=task_key(opened.task),
        method=method_key(parts.found),
        values=answer.values,
        per_prompt=answer.per_prompt,
        untrained=None if untrained is None else untrained.values,
        untrained_reason=untrained_reason,
        control=None if control is None else control.values,
        control_reason=control_reason,
        cost_forward_equivalents=None if cost is None else cost.cost,
        cost_reason=cost_reason,
        wall_s=entry.header.wall_s,
        provenance=entry.header.provenance,
    )


Opened = Callable[[], TaskContext]
"""Opens a model and prompts, if they are needed."""


def _attribution(parts: Parts, stage: Stage) -> tuple[Part, float]:
    answer, wall = parts.run(parts.opened.context(stage(ATTRIBUTION)))
    return _part(answer), wall


def _part(answer: LayerAttribution, cost: float | None = None) -> Part:
    rows = answer.per_prompt
    return Part(
        values=tuple(answer.values.tolist()),
        per_prompt=None if rows is None else tuple(map(tuple, rows.tolist())),
        cost=cost,
    )


def _null(parts: Parts, opened: Opened) -> tuple[Part | None, str | None]:
    """Run the method where there is nothing to find; say why if it cannot."""

    def compute() -> tuple[Part, float]:
        answer, wall = parts.run(opened())
        return _part(LayerAttribution(values=answer.values)), wall

    try:
        return parts.take(UNTRAINED, compute)[0], None
    except (MethodFailedError, OutOfMemoryError) as error:
        return None, as_prose(str(error))


def _counted(parts: Parts, what: str, opened: Opened) -> tuple[Part | None, str | None]:
    """Run the method on few prompts and count its cost; say why if it cannot."""

    def compute() -> tuple[Part, float]:
        ctx = opened().first_prompts(FEW_PROMPTS)
        answers: list[tuple[LayerAttribution, float]] = []
        cost = forward_equivalents(
            ctx.subject, ctx.prompts, lambda: answers.append(parts.run(ctx))
        )
        (answer, wall), *_ = answers
        return _part(LayerAttribution(values=answer.values), cost), wall

    try:
        return parts.take(what, compute)[0], None
    except (MethodFailedError, OutOfMemoryError) as error:
        number = min(FEW_PROMPTS, len(parts.opened.prompts))
        return None, as_prose(f"on {number} prompts: {error}")
