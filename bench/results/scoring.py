"""Score stored attributions against stored references; runs no model."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from bench.errors import DigestError, FileFormatError
from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import ProfileName
from bench.results.attribution_record import AttributionRecord
from bench.results.targets import Target, Targets, earlier_of, task_of
from bench.scores.bootstrap import percentile_interval
from bench.scores.correlation import PEARSON, SPEARMAN, pearson, spearman
from bench.scores.depth import ONSET_ERROR, WASSERSTEIN, onset_error, wasserstein
from bench.scores.overlap import overlap
from bench.scores.recall import TOP_K_RECALL, top_k_recall
from bench.scores.score import Score
from bench.scores.skill import OWN_UNTRAINED, Yardstick, skill

SHOWN = {
    "pearson": pearson,
    "spearman": spearman,
    "top_k_recall": top_k_recall,
    "onset_error": onset_error,
    "wasserstein": wasserstein,
}
"""Scores shown beside the overlap."""

SPECS = (PEARSON, SPEARMAN, TOP_K_RECALL, ONSET_ERROR, WASSERSTEIN)
"""Direction, bounds and meaning of the scores shown."""


@dataclass(frozen=True)
class ProfileScores:
    """All scores of an attribution on one profile."""

    overlap: Score
    skill: Score
    draws: Float[np.ndarray, " B"] | None
    """The skill under resampled prompts of both sides; None where it is undefined."""
    shown: Mapping[str, Score]
    yardstick: Yardstick

    @property
    def ranked(self) -> bool:
        """Whether the profile leaves enough room to rank on, alike for every method."""
        return self.yardstick.ranked

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % bootstrap interval of the skill."""
        return None if self.draws is None else percentile_interval(self.draws)


@dataclass(frozen=True)
class TaskScores:
    """All scores of an attribution on one task."""

    task: str
    profiles: Mapping[ProfileName, ProfileScores]
    own_control: Mapping[ProfileName, Score] = field(
        default_factory=dict[ProfileName, Score]
    )
    """Overlap of the method's own attribution on prompts that do not repeat."""


def score_record(record: AttributionRecord, targets: Targets) -> TaskScores:
    """Score a stored attribution.

    Args:
        record: The attribution.
        targets: What attributions on the same task and version are scored against, or
            on an earlier one with the same model and prompts.

    Raises:
        DigestError: The attribution belongs to another version of the task.
        FileFormatError: It does not have one number for each section.
    """
    task = task_of(targets)
    if record.task != task and record.task not in earlier_of(targets):
        raise DigestError(
            f"The attribution of '{record.method.name}' was made on version "
            f"{record.task.version} of '{record.task.id}' (digest "
            f"{record.task.digest[:12]}); the reference is of version "
            f"{task.version} (digest {task.digest[:12]}). Evaluate the method again."
        )
    n_sections = len(next(iter(targets.values())).values)
    if len(record.values) != n_sections:
        raise FileFormatError(
            f"The attribution of '{record.method.name}' on '{task.id}' has "
            f"{len(record.values)} values; expected {n_sections}, one number for each "
            "section. Evaluate the method again."
        )
    own, control = record.untrained_writes, record.control_writes
    scores = score_attribution(
        record.writes, targets, own_untrained=None if own is None else own.values
    )
    if control is None:
        return scores
    own_control = {n: overlap(control.values, t.values) for n, t in targets.items()}
    return replace(scores, own_control=own_control)


def score_attribution(
    attribution: LayerAttribution,
    targets: Targets,
    *,
    own_untrained: Float[np.ndarray, " S"] | None = None,
) -> TaskScores:
    """Score an attribution of kind write on both profiles of a task."""
    profiles: dict[ProfileName, ProfileScores] = {
        name: score_profile(attribution, target, own_untrained=own_untrained)
        for name, target in targets.items()
    }
    return TaskScores(task=task_of(targets).id, profiles=profiles)


def score_profile(
    attribution: LayerAttribution,
    target: Target,
    *,
    own_untrained: Float[np.ndarray, " S"] | None = None,
) -> ProfileScores:
    """Score an attribution of kind write on one profile."""
    yardstick = target.yardstick
    if own_untrained is not None:
        own = overlap(own_untrained, target.values).value or 0.0
        yardstick = replace(yardstick, nulls={**yardstick.nulls, OWN_UNTRAINED: own})
    found = overlap(attribution.values, target.values)
    result = skill(found, yardstick)
    draws = None
    if result.value is not None:
        draws = target.draws(
            attribution.values, attribution.per_prompt, own_null=own_untrained
        )
    return ProfileScores(
        overlap=found,
        skill=result,
        draws=draws,
        shown={
            k: score(attribution.values, target.values) for k, score in SHOWN.items()
        },
        yardstick=yardstick,
    )
