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
from bench.results.reproduction_record import ReproductionRecord
from bench.results.scoring import ProfileScores, TaskScores, score_profile
from bench.results.targets import Targets, task_of
from bench.results.trusted import Trusted
from bench.scores.nulls import RANDOM
from bench.scores.score import Score, undefined
from bench.scores.skill import skill

Kind = Literal["submission", "builtin", "null", "oracle"]
Tier = Literal["claimed", "reproduced", "built-in", "oracle", "null"]
RANKED_TIERS: tuple[Tier, ...] = ("reproduced", "built-in")
"""Claims are shown and not ranked: references are public, so a stored attribution
proves nothing about the method. Nor are oracles, which measure as the reference does.
"""


NO_CODE = "no code of the method was submitted, so nobody can run it again"
UNTRIED = "not run again yet"


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
    digest: str | None = None
    """Of the submission's manifest; a null method has none."""
    reproduction: ReproductionRecord | None = None
    """What became of running the method again."""
    notes: tuple[str, ...] = ()
    """Why a submission is a claim, and no more."""

    @property
    def missing(self) -> list[str]:
        """Tasks of the suite without scores."""
        done = {scores.task for scores in self.scores}
        return [task for task in self.suite_tasks if task not in done]

    @property
    def ranked(self) -> bool:
        """Whether the row takes part in the ranking."""
        return self.tier in RANKED_TIERS and self.mean.score.value is not None

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
        """Mean cost in forward-equivalents, where every task of the suite has one."""
        if self.missing:
            return None
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
    """A method's valid results on the tasks of a suite."""

    method: MethodKey
    records: tuple[AttributionRecord, ...]
    scores: tuple[TaskScores, ...]
    incomplete: str | None = None
    """Why tasks are missing."""
    digest: str | None = None
    """Of the submission's manifest."""
    has_code: bool = False
    """Whether the submission says what to run to get its attributions again."""
    reproduction: ReproductionRecord | None = None
    """What became of running it again, if this very submission was."""
    flags: tuple[str, ...] = ()
    """Why somebody has to look at it, as far as nobody has cleared it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Why a submission is a claim, and no more; nothing if it is more."""
        found = tuple(f"flagged: {text}" for text in self.flags)
        if self.reproduction is None:
            return (*found, UNTRIED if self.has_code else NO_CODE)
        return (*found, *(f"refused: {text}" for text in self.reproduction.reasons))


def collect_rows(
    entries: Sequence[Entry], trusted: Trusted, *, suite: str
) -> list[Row]:
    """Collect all rows of a suite, in no particular order."""
    tasks = trusted.suites[suite].tasks
    methods = [_method_row(entry, tasks) for entry in entries]
    return [*methods, *_null_rows(trusted, suite=suite)]


def _method_row(entry: Entry, tasks: tuple[str, ...]) -> Row:
    kind, tier = _standing(entry)
    return Row(
        method=entry.method.name,
        kind=kind,
        tier=tier,
        summary=entry.method.summary,
        scores=entry.scores,
        records=entry.records,
        suite_tasks=tasks,
        reason=entry.incomplete,
        digest=entry.digest,
        reproduction=entry.reproduction,
        notes=entry.notes if tier == "claimed" else (),
    )


def _standing(entry: Entry) -> tuple[Kind, Tier]:
    if entry.method.oracle:
        return "oracle", "oracle"
    if entry.method.origin == "built-in":
        return "builtin", "built-in"
    record = entry.reproduction
    if record is not None and record.verdict == "reproduced" and not entry.flags:
        return "submission", "reproduced"
    return "submission", "claimed"


def _null_rows(trusted: Trusted, *, suite: str) -> Iterator[Row]:
    tasks = trusted.suites[suite].tasks
    targets = [trusted.targets(task, suite) for task in tasks]
    names = {null for found in targets for null in found[PROFILES[0]].nulls}
    for null in sorted(names):
        scores = [_null_scores(null, found) for found in targets]
        yield _null_row(null, "Looks at nothing of the behaviour.", scores, tasks)
    scores = [_random_scores(found) for found in targets]
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


def _null_scores(null: str, targets: Targets) -> TaskScores:
    """Score a null that may know a different attribution for each profile."""
    profiles: dict[ProfileName, ProfileScores] = {
        name: score_profile(LayerAttribution(values=target.nulls[null]), target)
        for name, target in targets.items()
    }
    return TaskScores(task=task_of(targets).id, profiles=profiles)


def _random_scores(targets: Targets) -> TaskScores:
    """Score a random answer by its expectation; there is no one attribution to show."""
    profiles: dict[ProfileName, ProfileScores] = {}
    for name, target in targets.items():
        expected = Score(target.yardstick.nulls[RANDOM])
        found = skill(expected, target.yardstick)
        profiles[name] = ProfileScores(
            overlap=expected,
            skill=found,
            draws=None if found.value is None else target.random_draws(),
            shown={},
            yardstick=target.yardstick,
        )
    return TaskScores(task=task_of(targets).id, profiles=profiles)
