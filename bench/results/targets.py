"""What attributions on a task are scored against: measured once, used for every method.

Shapes: B resamples, P prompts, S sections.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from jaxtyping import Float

from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import TaskKey
from bench.results.reference_record import Reference
from bench.scores.bootstrap import resamples
from bench.scores.nulls import ANALYTIC, RANDOM, other_tasks, random_overlap
from bench.scores.overlap import overlap, overlaps
from bench.scores.skill import Yardstick, skills

NORM_GROWTH = "norm-growth"
UNTRAINED_REFERENCE = "untrained-reference"
OTHER_TASKS = "other-tasks"

Nulls = Mapping[str, Float[np.ndarray, " S"]]


@dataclass(frozen=True, eq=False)
class Target:
    """A profile of a reference, its nulls, and both under resampled prompts."""

    reference: Reference
    name: ProfileName
    nulls: Nulls
    """Every null attribution but the random one and a method's own."""

    @property
    def ceiling(self) -> float:
        """Mean overlap of the reference's own halves."""
        return self.reference.record.ceiling[self.name]

    @cached_property
    def values(self) -> Float[np.ndarray, " S"]:
        """The profile over all prompts."""
        return self.reference.promptwise.profile(self.name)

    @cached_property
    def yardstick(self) -> Yardstick:
        """What an overlap with it is measured against."""
        return measure_yardstick(self.nulls, self.values, ceiling=self.ceiling)

    @property
    def _stream(self) -> int:
        """Tasks vary independently of each other, methods on one task do not."""
        return 2 * crc32(self.reference.record.task.id.encode())

    @cached_property
    def resampled(self) -> Float[np.ndarray, "B S"]:
        """The profile over resampled prompts."""
        rows = resamples(self.reference.promptwise.n_prompts, stream=self._stream)
        return self.reference.promptwise.profiles(self.name, rows)

    @cached_property
    def resampled_best(self) -> Float[np.ndarray, " B"]:
        """The best null's overlap with each resampled profile."""
        found = [self._overlaps(null) for null in self.nulls.values()]
        return np.max([*found, random_overlap(self.resampled)], axis=0)

    def draws(
        self,
        values: Float[np.ndarray, " S"],
        per_prompt: Float[np.ndarray, "P S"] | None = None,
        *,
        own_null: Float[np.ndarray, " S"] | None = None,
    ) -> Float[np.ndarray, " B"]:
        """Return an attribution's skill under resampled prompts of both sides.

        Args:
            values: The attribution.
            per_prompt: The same for each prompt, if the method has it.
            own_null: The method's attribution on an untrained model.
        """
        own = np.broadcast_to(values, self.resampled.shape)
        if per_prompt is not None:
            own = prompt_weights(len(per_prompt), stream=self._stream + 1) @ per_prompt
        found = overlaps(own, self.resampled)
        best = self.resampled_best
        if own_null is not None:
            best = np.maximum(best, self._overlaps(own_null))
        return skills(found, best, self.ceiling - self.resampled_best)

    def random_draws(self) -> Float[np.ndarray, " B"]:
        """Return the skill of a random answer, which is its expectation each time."""
        best = self.resampled_best
        return skills(random_overlap(self.resampled), best, self.ceiling - best)

    def _overlaps(self, values: Float[np.ndarray, " S"]) -> Float[np.ndarray, " B"]:
        """Return the overlap of one attribution with each resampled profile.

        One that is nowhere positive finds nothing.
        """
        repeated = np.broadcast_to(values, self.resampled.shape)
        return np.nan_to_num(overlaps(repeated, self.resampled))


Targets = Mapping[ProfileName, Target]


def task_of(targets: Targets) -> TaskKey:
    """Return the task and version that the targets are of."""
    return targets[PROFILES[0]].reference.record.task


def earlier_of(targets: Targets) -> tuple[TaskKey, ...]:
    """Return the earlier versions of the task whose attributions are scored on it."""
    return targets[PROFILES[0]].reference.earlier


def find_targets(
    reference: Reference, *, others: Sequence[Reference] = ()
) -> dict[ProfileName, Target]:
    """Return the targets of a task.

    Args:
        reference: The task's.
        others: References of the other tasks of the suite, for the null that knows
            where other circuits are.
    """
    return {
        name: Target(reference, name, null_attributions(reference, name, others=others))
        for name in PROFILES
    }


def null_attributions(
    reference: Reference, name: ProfileName, *, others: Sequence[Reference] = ()
) -> dict[str, Float[np.ndarray, " S"]]:
    """Return every null attribution on a profile but the random one."""
    n_sections = reference.promptwise.n_sections
    found = {null: build(n_sections) for null, build in ANALYTIC.items()}
    found[NORM_GROWTH] = np.array(reference.record.norm_growth)
    found[UNTRAINED_REFERENCE] = np.array(reference.record.untrained[name])
    elsewhere = other_tasks(
        [other.promptwise.profile(name) for other in others], n_sections=n_sections
    )
    if elsewhere is not None:
        found[OTHER_TASKS] = elsewhere
    return found


def measure_yardstick(
    nulls: Nulls, target: Float[np.ndarray, " S"], *, ceiling: float
) -> Yardstick:
    """Measure every null's overlap; one that is nowhere positive finds nothing."""
    found = {name: overlap(null, target).value or 0.0 for name, null in nulls.items()}
    found[RANDOM] = float(random_overlap(target))
    return Yardstick(nulls=found, ceiling=ceiling)


def prompt_weights(n_prompts: int, *, stream: int) -> Float[np.ndarray, "B P"]:
    """Return how much each prompt counts in the mean of each resample."""
    rows = resamples(n_prompts, stream=stream)
    cells = rows + n_prompts * np.arange(len(rows))[:, None]
    counts = np.bincount(cells.ravel(), minlength=len(rows) * n_prompts)
    return counts.reshape(len(rows), n_prompts) / n_prompts
