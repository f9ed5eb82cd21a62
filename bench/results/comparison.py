"""Compare two methods on the tasks that both were run on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.results.aggregate import (
    COMPARED_DIGITS,
    SMALLEST_DIFFERENCE,
    Interval,
    MeanSkill,
    by_family,
    mean_skill,
)
from bench.results.scoring import TaskScores
from bench.scores.across_tasks import (
    Family,
    family_mean,
    student_interval,
    task_weights,
)
from bench.scores.bootstrap import percentile_interval
from bench.scores.sign_flips import ERROR, sign_flip_chance


@dataclass(frozen=True)
class Comparison:
    """How much more mean skill the first of two methods has."""

    means: tuple[MeanSkill, MeanSkill]
    difference: float
    interval: Interval | None
    """95 % over tasks, paired; None where a family has a single task."""
    chance: float
    """How often a difference as one-sided as this would come of tasks by chance."""
    prompt_interval: Interval
    """95 % over prompts, on these tasks, paired."""

    @property
    def apart(self) -> bool:
        """Whether other tasks would show the difference too."""
        return self.chance <= ERROR

    @property
    def apart_here(self) -> bool:
        """Whether other prompts of these tasks would show the difference too."""
        low, high = self.prompt_interval
        return low > SMALLEST_DIFFERENCE or high < -SMALLEST_DIFFERENCE


def compare_scores(
    first: Sequence[TaskScores], second: Sequence[TaskScores]
) -> Comparison | list[str]:
    """Compare the mean skills of two methods on the same tasks.

    Returns:
        Why the means are undefined, if one is.

    Raises:
        ValueError: The tasks are not the same.
    """
    means = mean_skill(first), mean_skill(second)
    tasks = [scores.task for scores in first]
    if tasks != [scores.task for scores in second]:
        raise ValueError("Two methods are compared on the same tasks in one order.")
    if means[0].draws is None or means[1].draws is None:
        return [mean.score.undefined for mean in means if mean.score.undefined]
    families = by_family(list(means[0].by_task))
    grouped = [
        np.array([means[0].by_task[t] - means[1].by_task[t] for t in tasks])
        for tasks in families
    ]
    return Comparison(
        means=means,
        difference=family_mean(grouped),
        interval=student_interval(grouped),
        chance=_chance(grouped),
        prompt_interval=percentile_interval(means[0].draws - means[1].draws),
    )


def _chance(grouped: Sequence[Family]) -> float:
    """Flip the signs of differences as they are compared on the board."""
    weights = task_weights([len(family) for family in grouped])
    rounded = np.round(np.concatenate(grouped), COMPARED_DIGITS)
    return sign_flip_chance(rounded * weights)
