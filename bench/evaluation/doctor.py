"""Examine a method on a few prompts before it is evaluated."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.errors import MethodFailedError
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.methods.context import TaskContext
from bench.methods.discovery import FoundMethod
from bench.profiles.attribution import LayerAttribution, as_writes
from bench.scores.shares import why_undefined
from bench.tasks.spec import Task

N_PROMPTS = 4
SEED = 0
SLOW = 15.0
"""Seconds on a few prompts of a small model."""
SAME = 1e-5
"""Relative difference up to which two runs are equal: on some devices the order of
sums varies, and the method cannot help it."""
MOST_TIES = 0.5
"""A method that ties more sections than this may say little; it is told so."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    finding: str


def examine(found: FoundMethod, task: Task, *, device: str) -> list[Check]:
    """Run a method twice on a few prompts and report what there is to know.

    The second time two prompts run at once, as where memory is short.
    """
    opened = OpenedTask(task, device=device, seed=SEED)
    few = opened.context(lambda _d, _t: None).first_prompts(N_PROMPTS)
    try:
        first, wall = run_method(found, few)
        again = replace(few, generator=opened.generator(), at_once=2)
        second, _ = run_method(found, again)
    except MethodFailedError as error:
        return [Check("runs", False, str(error))]
    return list(_checks(found, few, first, second, wall))


def _checks(
    found: FoundMethod,
    ctx: TaskContext,
    first: LayerAttribution,
    second: LayerAttribution,
    wall: float,
) -> Iterator[Check]:
    yield Check("runs", True, f"'{found.method.name}' from {found.source}")
    yield Check("shape", True, f"{ctx.n_sections} finite numbers, one for each section")
    largest = np.abs(first.values).max()
    same = np.allclose(first.values, second.values, rtol=SAME, atol=SAME * largest)
    finding = "equal seeds give equal answers, however many prompts run at once"
    if not same:
        gap = np.abs(first.values - second.values).max()
        finding = (
            f"equal seeds, or prompts run two at a time, differ by up to {gap:.3g}: "
            "draw from ctx.generator only; edits that hold prompts' values are RowEdits"
        )
    yield Check("determinism", same, finding)
    writes = as_writes(first, kind=found.method.kind).values
    missing = why_undefined(writes, np.ones_like(writes))
    reason = "something is positive" if missing is None else str(missing.undefined)
    yield Check("defined", missing is None, reason)
    tied = 1 - len(np.unique(writes)) / len(writes)
    finding = f"{tied:.0%} of the sections share their value with another"
    if tied > MOST_TIES:
        finding += ": a method of heads alone may, another one says little"
    yield Check("ties", True, finding)
    finding = f"{wall:.2f} s on {N_PROMPTS} prompts"
    yield Check("speed", wall <= SLOW, finding)
    per_prompt = "given" if first.per_prompt is not None else "none: no interval for it"
    yield Check("per prompt", True, per_prompt)
