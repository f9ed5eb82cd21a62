"""Scores as plain data: what ``--json`` prints and the leaderboard stores."""

from collections.abc import Iterable, Mapping, Sequence

from bench.profiles.promptwise import PROFILES
from bench.results.aggregate import MeanSkill, mean_skill
from bench.results.attribution_record import AttributionRecord
from bench.results.scoring import ProfileScores, TaskScores
from bench.scores.score import Score, undefined
from bench.scores.skill import OWN_UNTRAINED

Plain = dict[str, object]

DIGITS = 6
"""Decimals of reported scores: far below any difference that means something."""


def plain_score(score: Score) -> float | None:
    """Return a score's value for output; None where it is undefined."""
    return plain_number(score.value)


def plain_number(value: float | None) -> float | None:
    """Return a number for output."""
    return None if value is None else round(value, DIGITS)


def plain_interval(interval: tuple[float, float] | None) -> list[float] | None:
    """Return an interval for output."""
    return None if interval is None else [round(bound, DIGITS) for bound in interval]


def plain_profile(scores: ProfileScores, *, nulls: bool = True) -> Plain:
    """Return all scores on one profile, with what they are measured against."""
    name, best = scores.yardstick.best_null
    every = {n: round(value, DIGITS) for n, value in scores.yardstick.nulls.items()}
    shown = {key: plain_score(score) for key, score in scores.shown.items()}
    return {
        "overlap": plain_score(scores.overlap),
        "skill": plain_score(scores.skill),
        "interval": plain_interval(scores.interval),
        "undefined": scores.skill.undefined,
        "ranked": scores.ranked,
        "ceiling": round(scores.yardstick.ceiling, DIGITS),
        "best_null": {"name": name, "overlap": round(best, DIGITS)},
        "own_null": every.get(OWN_UNTRAINED),
        **({"nulls": dict(sorted(every.items()))} if nulls else {}),
        **shown,
    }


def plain_task(
    scores: TaskScores, record: AttributionRecord | None, *, nulls: bool = True
) -> Plain:
    """Return everything about one task.

    Args:
        scores: All scores on it.
        record: Where they come from; None for a null method.
        nulls: Give every null's overlap, the same for all methods, as well.
    """
    return {
        "task": scores.task,
        "status": "ok",
        "profiles": {
            name: plain_profile(scores.profiles[name], nulls=nulls) for name in PROFILES
        },
        "cost_forward_equivalents": None
        if record is None
        else record.cost_forward_equivalents,
        "wall_s": None if record is None else record.wall_s,
        "own_control": None
        if record is None
        else {p: plain_score(score) for p, score in scores.own_control.items()},
        "no_own_null": None if record is None else record.untrained_reason,
    }


def plain_mean(mean: MeanSkill, key: str = "mean_skill") -> Plain:
    """Return a mean skill, its intervals, and why it is undefined if it is."""
    return {
        key: plain_score(mean.score),
        "interval": plain_interval(mean.interval),
        "prompt_interval": plain_interval(mean.prompt_interval),
        "undefined": mean.score.undefined,
    }


def plain_evaluation(
    *,
    method: str,
    suite: str | None,
    scored: Sequence[tuple[TaskScores, AttributionRecord]],
    failed: Mapping[str, str],
    pending: Mapping[str, str],
) -> Plain:
    """Return the result of ``bench evaluate`` or ``bench score``.

    Args:
        method: The method's name.
        suite: The suite, or None for a choice of tasks.
        scored: Scores and attributions of the tasks that ran.
        failed: Task to what went wrong.
        pending: Task without a reference to what can be done about it.
    """
    tasks: list[Plain] = [plain_task(scores, record) for scores, record in scored]
    for name, error in failed.items():
        tasks.append({"task": name, "status": "failed", "error": error})
    for name, advice in pending.items():
        tasks.append({"task": name, "status": "reference pending", "advice": advice})
    complete = mean_skill([scores for scores, _ in scored])
    if pending:
        complete = MeanSkill(undefined(pending_reason(pending)))
    if failed:
        names = ", ".join(sorted(failed))
        complete = MeanSkill(undefined(f"failed on {names}"))
    return {"method": method, "suite": suite, "tasks": tasks, **plain_mean(complete)}


def pending_reason(pending: Iterable[str]) -> str:
    """Say why a mean over tasks without references is undefined."""
    return f"reference pending: {', '.join(sorted(pending))}"
