"""Compare two methods on the tasks that both were run on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.results.aggregate import Interval, MeanSkill, by_family, mean_skill
from bench.results.scoring import TaskScores
from bench.scores.across_tasks import family_mean, student_interval, task_weights
from bench.scores.bootstrap import LEVEL, percentile_interval
from bench.scores.sign_flips import sign_flip_chance


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
        return self.chance <= 1 - LEVEL

    @property
    def apart_here(self) -> bool:
        """Whether other prompts of these tasks would show the difference too."""
        low, high = self.prompt_interval
        return not low <= 0.0 <= high


def compare_scores(
    first: Sequence[TaskScores], second: Sequence[TaskScores]
) -> Comparison | None:
    """Compare the mean skills of two methods on the same tasks.

    Returns:
        None if one of the means is undefined.

    Raises:
        ValueError: The tasks are not the same.
    """
    means = mean_skill(first), mean_skill(second)
    tasks = [scores.task for scores in first]
    if tasks != [scores.task for scores in second]:
        raise ValueError("Two methods are compared on the same tasks in one order.")
    if means[0].draws is None or means[1].draws is None:
        return None
    families = by_family(list(means[0].by_task))
    grouped = [
        np.array([means[0].by_task[t] - means[1].by_task[t] for t in tasks])
        for tasks in families
    ]
    sizes = [len(tasks) for tasks in families]
    weighted = np.concatenate(grouped) * task_weights(sizes)
    return Comparison(
        means=means,
        difference=family_mean(grouped),
        interval=student_interval(grouped),
        chance=sign_flip_chance(weighted),
        prompt_interval=percentile_interval(means[0].draws - means[1].draws),
    )
