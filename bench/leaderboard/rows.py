"""Collect what the leaderboard shows: methods and nulls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.aggregate import MeanSkill, mean_skill
from bench.results.attribution_record import AttributionRecord, MethodKey
from bench.results.reference_record import Reference
from bench.results.scoring import (
    ProfileScores,
    TaskScores,
    null_attributions,
    random_draws,
    score_attribution,
)
from bench.results.trusted import Trusted
from bench.scores.nulls import RANDOM, random_overlap
from bench.scores.score import Score, undefined
from bench.scores.skill import skill

Kind = Literal["submission", "builtin", "null", "oracle"]
Tier = Literal["claimed", "built-in", "oracle", "null"]


@dataclass(frozen=True)
class Row:
    """One method on the leaderboard."""

    method: str
    kind: Kind
    tier: Tier
    summary: str
    scores: tuple[TaskScores, ...]
    records: tuple[AttributionRecord, ...]
    """Empty for a null method."""
    suite_tasks: tuple[str, ...]
    """The tasks that a complete row has scores on."""
    reason: str | None = None
    """Why tasks are missing, as the submission says."""

    @property
    def missing(self) -> list[str]:
        """Tasks of the suite without scores."""
        done = {scores.task for scores in self.scores}
        return [task for task in self.suite_tasks if task not in done]

    @property
    def ranked(self) -> bool:
        """Whether the row takes part in the ranking.

        Claims are shown and not ranked: references are public, so a stored attribution
        proves nothing about the method. Nor are oracles, which measure as the reference
        does.
        """
        return self.kind == "builtin" and self.mean.score.value is not None

    @cached_property
    def mean(self) -> MeanSkill:
        """Mean skill over tasks and profiles; undefined on a part of the tasks."""
        return self._mean(PROFILES)

    def profile_mean(self, name: ProfileName) -> MeanSkill:
        """Mean skill over tasks on one profile; undefined on a part of the tasks."""
        return self._mean([name])

    def _mean(self, names: Sequence[ProfileName]) -> MeanSkill:
        if self.missing:
            said = "" if self.reason is None else f": {self.reason}"
            return MeanSkill(undefined(f"not run on {', '.join(self.missing)}{said}"))
        return mean_skill(self.scores, names)

    @property
    def cost(self) -> float | None:
        """Mean cost in forward-equivalents, where every task has one."""
        found = [record.cost_forward_equivalents for record in self.records]
        values = [cost for cost in found if cost is not None]
        return float(np.mean(values)) if values and len(values) == len(found) else None

    @property
    def date(self) -> str | None:
        """Day of the latest evaluation."""
        days = [record.provenance.finished[:10] for record in self.records]
        return max(days, default=None)


@dataclass(frozen=True)
class Entry:
    """A method's valid results on all tasks of a suite."""

    method: MethodKey
    records: tuple[AttributionRecord, ...]
    scores: tuple[TaskScores, ...]
    incomplete: str | None = None
    """Why tasks are missing."""


def collect_rows(
    entries: Sequence[Entry], trusted: Trusted, *, suite: str
) -> list[Row]:
    """Collect all rows of a suite, in no particular order."""
    tasks = trusted.suites[suite].tasks
    methods = [_method_row(entry, tasks) for entry in entries]
    return [*methods, *_null_rows(trusted, suite=suite)]


def _method_row(entry: Entry, tasks: tuple[str, ...]) -> Row:
    kind, tier = _standing(entry.method)
    return Row(
        method=entry.method.name,
        kind=kind,
        tier=tier,
        summary=entry.method.summary,
        scores=entry.scores,
        records=entry.records,
        suite_tasks=tasks,
        reason=entry.incomplete,
    )


def _standing(method: MethodKey) -> tuple[Kind, Tier]:
    if method.oracle:
        return "oracle", "oracle"
    if method.origin == "built-in":
        return "builtin", "built-in"
    return "submission", "claimed"


def _null_rows(trusted: Trusted, *, suite: str) -> Iterator[Row]:
    tasks = trusted.suites[suite].tasks
    references = [trusted.reference(task) for task in tasks]
    names = {
        null
        for reference in references
        for null in null_attributions(
            reference, PROFILES[0], others=_others(reference, references)
        )
    }
    for null in sorted(names):
        scores = [
            _null_scores(null, r, others=_others(r, references)) for r in references
        ]
        yield _null_row(null, "Looks at nothing of the behaviour.", scores, tasks)
    scores = [_random_scores(r, others=_others(r, references)) for r in references]
    yield _null_row(RANDOM, "The expectation of a random answer.", scores, tasks)


def _null_row(
    name: str, summary: str, scores: Sequence[TaskScores], tasks: tuple[str, ...]
) -> Row:
    return Row(
        method=name,
        kind="null",
        tier="null",
        summary=summary,
        scores=tuple(scores),
        records=(),
        suite_tasks=tasks,
    )


def _others(reference: Reference, every: Sequence[Reference]) -> list[Reference]:
    return [other for other in every if other is not reference]


def _null_scores(
    null: str, reference: Reference, *, others: Sequence[Reference]
) -> TaskScores:
    """Score a null that may know a different attribution for each profile."""
    profiles: dict[ProfileName, ProfileScores] = {}
    for name in PROFILES:
        values = null_attributions(reference, name, others=others)[null]
        scored = score_attribution(
            LayerAttribution(values=values), reference, others=others
        )
        profiles[name] = scored.profiles[name]
    return TaskScores(task=reference.record.task.id, profiles=profiles)


def _random_scores(reference: Reference, *, others: Sequence[Reference]) -> TaskScores:
    """Score a random answer by its expectation; there is no one attribution to show."""
    constant = _null_scores("constant", reference, others=others)
    profiles: dict[ProfileName, ProfileScores] = {}
    for name in PROFILES:
        yardstick = constant.profiles[name].yardstick
        expected = Score(float(random_overlap(reference.promptwise.profile(name))))
        found = skill(expected, yardstick)
        draws = None if found.value is None else random_draws(reference, name, others)
        profiles[name] = ProfileScores(
            overlap=expected, skill=found, draws=draws, shown={}, yardstick=yardstick
        )
    return TaskScores(task=reference.record.task.id, profiles=profiles)
