"""Score stored attributions against stored references; runs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

import numpy as np
from jaxtyping import Float

from bench.errors import DigestError
from bench.profiles.attribution import LayerAttribution
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import AttributionRecord
from bench.results.reference_record import Reference
from bench.scores.bootstrap import percentile_interval, resamples
from bench.scores.correlation import PEARSON, SPEARMAN, pearson, spearman
from bench.scores.depth import ONSET_ERROR, WASSERSTEIN, onset_error, wasserstein
from bench.scores.nulls import ANALYTIC, RANDOM, other_tasks, random_overlap
from bench.scores.overlap import overlap, overlaps
from bench.scores.recall import TOP_K_RECALL, top_k_recall
from bench.scores.score import Score
from bench.scores.skill import OWN_UNTRAINED, Yardstick, skill, skills

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

NORM_GROWTH = "norm-growth"
UNTRAINED_REFERENCE = "untrained-reference"
OTHER_TASKS = "other-tasks"


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


def score_record(
    record: AttributionRecord,
    reference: Reference,
    *,
    others: Sequence[Reference] = (),
) -> TaskScores:
    """Score a stored attribution.

    Args:
        record: The attribution.
        reference: The reference of the same task and version.
        others: References of the other tasks of the suite, for the null that knows
            where other circuits are.

    Raises:
        DigestError: The attribution belongs to another version of the task.
    """
    if record.task != reference.record.task:
        raise DigestError(
            f"The attribution of '{record.method.name}' was made on version "
            f"{record.task.version} of '{record.task.id}' (digest "
            f"{record.task.digest[:12]}); the reference is of version "
            f"{reference.record.task.version} (digest "
            f"{reference.record.task.digest[:12]}). Evaluate the method again."
        )
    own, control = record.untrained_writes, record.control_writes
    scores = score_attribution(
        record.writes,
        reference,
        others=others,
        own_untrained=None if own is None else own.values,
    )
    if control is None:
        return scores
    targets = {name: reference.promptwise.profile(name) for name in PROFILES}
    own_control = {name: overlap(control.values, t) for name, t in targets.items()}
    return replace(scores, own_control=own_control)


def score_attribution(
    attribution: LayerAttribution,
    reference: Reference,
    *,
    others: Sequence[Reference] = (),
    own_untrained: Float[np.ndarray, " S"] | None = None,
) -> TaskScores:
    """Score an attribution of kind write on both profiles of a task."""
    profiles: dict[ProfileName, ProfileScores] = {
        name: _score_profile(attribution, reference, name, others, own_untrained)
        for name in PROFILES
    }
    return TaskScores(task=reference.record.task.id, profiles=profiles)


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


def _score_profile(
    attribution: LayerAttribution,
    reference: Reference,
    name: ProfileName,
    others: Sequence[Reference],
    own_untrained: Float[np.ndarray, " S"] | None,
) -> ProfileScores:
    nulls = null_attributions(reference, name, others=others)
    if own_untrained is not None:
        nulls[OWN_UNTRAINED] = own_untrained
    target = reference.promptwise.profile(name)
    ceiling = reference.record.ceiling[name]
    yardstick = measure_yardstick(nulls, target, ceiling=ceiling)
    found = overlap(attribution.values, target)
    result = skill(found, yardstick)
    draws = None
    if result.value is not None:
        draws = _draws(attribution, reference, name, nulls)
    return ProfileScores(
        overlap=found,
        skill=result,
        draws=draws,
        shown={key: score(attribution.values, target) for key, score in SHOWN.items()},
        yardstick=yardstick,
    )


def measure_yardstick(
    nulls: Mapping[str, Float[np.ndarray, " S"]],
    target: Float[np.ndarray, " S"],
    *,
    ceiling: float,
) -> Yardstick:
    """Measure every null's overlap; one that is nowhere positive finds nothing."""
    found = {name: overlap(null, target).value or 0.0 for name, null in nulls.items()}
    found[RANDOM] = float(random_overlap(target))
    return Yardstick(nulls=found, ceiling=ceiling)


def _draws(
    attribution: LayerAttribution,
    reference: Reference,
    name: ProfileName,
    nulls: Mapping[str, Float[np.ndarray, " S"]],
) -> Float[np.ndarray, " B"]:
    """Resample the prompts of the reference and, where known, of the method."""
    stream = crc32(reference.record.task.id.encode())  # tasks vary independently
    rows = resamples(reference.promptwise.n_prompts, stream=2 * stream)
    targets = reference.promptwise.profiles(name, rows)
    values = np.broadcast_to(attribution.values, targets.shape)
    if attribution.per_prompt is not None:
        own = resamples(len(attribution.per_prompt), stream=2 * stream + 1)
        values = attribution.per_prompt[own].mean(axis=1)
    best, room = resampled_yardstick(
        nulls, targets, ceiling=reference.record.ceiling[name]
    )
    return skills(overlaps(values, targets), best, room)


def random_draws(
    reference: Reference, name: ProfileName, others: Sequence[Reference]
) -> Float[np.ndarray, " B"]:
    """Resample the skill of a random answer, which is its expectation each time."""
    stream = crc32(reference.record.task.id.encode())
    rows = resamples(reference.promptwise.n_prompts, stream=2 * stream)
    targets = reference.promptwise.profiles(name, rows)
    nulls = null_attributions(reference, name, others=others)
    best, room = resampled_yardstick(
        nulls, targets, ceiling=reference.record.ceiling[name]
    )
    return skills(random_overlap(targets), best, room)


def resampled_yardstick(
    nulls: Mapping[str, Float[np.ndarray, " S"]],
    targets: Float[np.ndarray, "B S"],
    *,
    ceiling: float,
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
    """Return the best null's overlap and the room, for each resampled target."""
    found = {
        name: np.nan_to_num(overlaps(np.broadcast_to(null, targets.shape), targets))
        for name, null in nulls.items()
    }
    found[RANDOM] = random_overlap(targets)
    shared = [values for name, values in found.items() if name != OWN_UNTRAINED]
    return np.max(list(found.values()), axis=0), ceiling - np.max(shared, axis=0)
