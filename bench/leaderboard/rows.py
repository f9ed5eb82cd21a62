"""Collect what the leaderboard shows: submissions, built-in methods, nulls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import InvalidSubmissionError
from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import AttributionRecord, MethodKey
from bench.results.reference_record import Reference
from bench.results.scoring import (
    MeanSkill,
    ProfileScores,
    TaskScores,
    mean_skill,
    null_attributions,
    score_attribution,
)
from bench.scores.nulls import RANDOM, random_overlap
from bench.scores.score import Score
from bench.scores.skill import skill
from bench.submissions.manifest import FOLDER
from bench.submissions.validation import Checked, Trusted, validate_submission

Kind = Literal["submission", "builtin", "null", "oracle"]
Tier = Literal["claimed", "built-in", "null"]


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

    @property
    def ranked(self) -> bool:
        """Whether the row takes part in the ranking.

        Claims are shown and not ranked: references are public, so a stored attribution
        proves nothing about the method.
        """
        return self.kind == "builtin" and self.mean.score.value is not None

    @property
    def mean(self) -> MeanSkill:
        """Mean skill over tasks and profiles."""
        return mean_skill(self.scores)

    def profile_mean(self, name: ProfileName) -> MeanSkill:
        """Mean skill over tasks on one profile."""
        return mean_skill(self.scores, [name])

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


def collect_rows(root: Path, trusted: Trusted, *, suite: str) -> list[Row]:
    """Collect all rows of a suite, in no particular order.

    Raises:
        InvalidSubmissionError: A submission has problems.
    """
    rows = [
        *_submission_rows(root, trusted, suite=suite),
        *_null_rows(trusted, suite=suite),
    ]
    return rows


def _submission_rows(root: Path, trusted: Trusted, *, suite: str) -> Iterator[Row]:
    folders = sorted(path for path in (root / FOLDER).glob("*") if path.is_dir())
    checked = [validate_submission(folder, trusted) for folder in folders]
    broken = [found.folder.name for found in checked if found.problems]
    if broken:
        raise InvalidSubmissionError(
            f"The leaderboard needs valid submissions; {', '.join(broken)} "
            f"{'has' if len(broken) == 1 else 'have'} problems. See: bench validate "
            + " ".join(f"{FOLDER}/{name}" for name in broken)
        )
    tasks = trusted.suites[suite].tasks
    for found in checked:
        if found.manifest is not None and found.manifest.suite.name == suite:
            yield _submission_row(found, found.manifest.method, tasks)


def _submission_row(checked: Checked, method: MethodKey, tasks: Sequence[str]) -> Row:
    own = method.origin == "built-in"
    return Row(
        method=method.name,
        kind="builtin" if own else "submission",
        tier="built-in" if own else "claimed",
        summary=method.summary,
        scores=tuple(checked.scores[task] for task in tasks),
        records=tuple(checked.records[task] for task in tasks),
    )


def _null_rows(trusted: Trusted, *, suite: str) -> Iterator[Row]:
    tasks = trusted.suites[suite].tasks
    references = [trusted.references[task] for task in tasks]
    names = {
        null
        for reference in references
        for null in null_attributions(
            reference, PROFILES[0], others=_others(reference, references)
        )
    }
    for null in sorted(names):
        scores = tuple(
            _null_scores(null, r, others=_others(r, references)) for r in references
        )
        yield Row(
            null, "null", "null", "Looks at nothing of the behaviour.", scores, ()
        )
    scores = tuple(_random_scores(r, others=_others(r, references)) for r in references)
    yield Row(RANDOM, "null", "null", "The expectation of a random answer.", scores, ())


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
        expected = Score(random_overlap(reference.promptwise.profile(name)))
        found = skill(expected, yardstick)
        draws = None if found.value is None else np.array([found.value])
        profiles[name] = ProfileScores(
            overlap=expected, skill=found, draws=draws, shown={}, yardstick=yardstick
        )
    return TaskScores(task=reference.record.task.id, profiles=profiles)
