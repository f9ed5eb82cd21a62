"""Average a method's skill over tasks, with intervals over tasks and over prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.scoring import TaskScores
from bench.scores.across_tasks import family_mean, student_interval, task_weights
from bench.scores.bootstrap import percentile_interval
from bench.scores.score import Score, undefined
from bench.scores.skill import SKILL

Interval = tuple[float, float]

COMPARED_DIGITS = 3
"""Methods are compared in thousandths of skill: rounding errors of equal ones may all
point one way."""
SMALLEST_DIFFERENCE = 10.0**-COMPARED_DIGITS
Draws = Float[np.ndarray, " B"]


@dataclass(frozen=True)
class MeanSkill:
    """A mean of skills over tasks."""

    score: Score
    interval: Interval | None = None
    """95 % over tasks: what other tasks of the same families would have given. None
    where a family has a single task."""
    prompt_interval: Interval | None = None
    """95 % over prompts, on these tasks: what other prompts would have given."""
    by_task: Mapping[str, float] = field(default_factory=dict[str, float])
    """The mean skill of each task's ranked profiles."""
    draws: Draws | None = None
    """The mean under resampled prompts, the same ones for all methods; None where it is
    undefined."""


def mean_skill(
    scores: Sequence[TaskScores], names: Sequence[ProfileName] = PROFILES
) -> MeanSkill:
    """Average the skill over profiles, tasks and families, each counting alike.

    Profiles that leave too little room to rank on are left out for everybody. Undefined
    as soon as it is undefined on another: a method may not choose where it is judged.
    """
    values: dict[str, list[float]] = {}
    draws: dict[str, list[Draws]] = {}
    for task in scores:
        for name in names:
            found = task.profiles[name]
            if not found.ranked:
                continue
            if found.skill.value is None or found.draws is None:
                reason = f"{task.task}, {name}: {found.skill.undefined}"
                return MeanSkill(undefined(reason))
            values.setdefault(task.task, []).append(found.skill.value)
            draws.setdefault(task.task, []).append(found.draws)
    if not values:
        return MeanSkill(undefined("no task leaves enough room to rank on"))
    by_task = {task: float(np.mean(found)) for task, found in values.items()}
    return _mean_task(
        by_task, {task: np.mean(found, axis=0) for task, found in draws.items()}
    )


def _mean_task(values: Mapping[str, float], draws: Mapping[str, Draws]) -> MeanSkill:
    families = by_family(list(values))
    grouped = [np.array([values[task] for task in tasks]) for tasks in families]
    order = [task for tasks in families for task in tasks]
    weights = task_weights([len(tasks) for tasks in families])
    resampled = weights @ np.array([draws[task] for task in order])
    return MeanSkill(
        score=Score(family_mean(grouped)),
        interval=_within_bounds(student_interval(grouped)),
        prompt_interval=percentile_interval(resampled),
        by_task=dict(values),
        draws=resampled,
    )


def by_family(tasks: Sequence[str]) -> list[list[str]]:
    """Group names of tasks, ``family/name``, by their family."""
    families: dict[str, list[str]] = {}
    for task in tasks:
        families.setdefault(task.partition("/")[0], []).append(task)
    return list(families.values())


def _within_bounds(interval: Interval | None) -> Interval | None:
    """Cut off what no skill can be; Student's t knows of no bounds."""
    if interval is None:
        return None
    low, high = np.clip(interval, SKILL.lowest, SKILL.highest)
    return float(low), float(high)
