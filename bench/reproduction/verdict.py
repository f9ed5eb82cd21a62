"""Judge what came back: against the claims, and fresh circuits against public."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.profiles.attribution import Kind, as_writes
from bench.profiles.promptwise import PROFILES
from bench.reproduction.agreement import agree, disagreements
from bench.reproduction.disguise import ALLOWED, moved
from bench.reproduction.gate import judge
from bench.reproduction.grading import grade
from bench.reproduction.questions import Asked
from bench.reproduction.replies import attribution
from bench.reproduction.request import Answer
from bench.reproduction.supervise import Ended
from bench.results.attribution_record import AttributionRecord
from bench.results.reproduction_record import (
    LONGEST_REASON,
    CircuitGrade,
    DisguiseGrade,
    Gate,
    TaskAgreement,
)
from bench.results.trusted import Trusted
from bench.scores.overlap import overlap

MOST_UNUSABLE = 5
"""Unusable answers that are named one by one."""


@dataclass(frozen=True)
class Reply:
    """A question and what came back."""

    asked: Asked
    answer: Answer | None
    unusable: str | None
    """Why there is no answer."""


@dataclass(frozen=True)
class Judgement:
    """All that a record says of the answers."""

    reasons: tuple[str, ...]
    agreement: dict[str, TaskAgreement]
    public: tuple[CircuitGrade, ...]
    fresh: tuple[CircuitGrade, ...]
    disguised: tuple[DisguiseGrade, ...]
    gate: Gate | None


def judge_replies(
    records: Mapping[str, AttributionRecord],
    trusted: Trusted,
    replies: Sequence[Reply],
    ended: Ended,
    *,
    kind: Kind,
) -> Judgement:
    """Find every reason to refuse a submission.

    Args:
        records: Task to what is claimed on it.
        trusted: The repository's tasks and references.
        replies: What came back.
        ended: How the process ended.
        kind: What the method's numbers speak of.
    """
    agreement = {
        name: agree(
            record,
            _answer(_reply(replies, name)),
            _answer(_reply(replies, name, untrained=True)),
            tolerance=trusted.tasks[name].spec.tolerance,
        )
        for name, record in records.items()
    }
    planted = [reply for reply in replies if reply.asked.question.circuit is not None]
    graded = sorted(
        (_grade(reply, kind) for reply in planted),
        key=lambda circuit: (circuit.task or "", circuit.architecture),
    )
    public = tuple(circuit for circuit in graded if circuit.task is not None)
    fresh = tuple(circuit for circuit in graded if circuit.task is None)
    complete = bool(public and fresh) and all(r.answer is not None for r in planted)
    gate = judge(public, fresh) if complete else None
    disguised = tuple(_disguised(replies, trusted, kind))
    reasons = (
        *_endings(ended),
        *_unusable(replies),
        *(text for name, a in agreement.items() for text in disagreements(name, a)),
        *_gate_reasons(gate),
        *_disguise_reasons(disguised),
    )
    short = tuple(reason[:LONGEST_REASON] for reason in reasons)
    return Judgement(short, agreement, public, fresh, disguised, gate)


def _reply(
    replies: Sequence[Reply],
    task: str,
    *,
    untrained: bool = False,
    disguised: bool = False,
) -> Reply | None:
    """Find what came back on a task's model, or on one in its place."""
    for reply in replies:
        question = reply.asked.question
        name = None if question.task is None else question.task.id
        kind = (question.untrained, question.disguise is not None)
        if name == task and kind == (untrained, disguised):
            return reply
    return None


def _answer(reply: Reply | None) -> Answer | None:
    return None if reply is None else reply.answer


def _disguised(
    replies: Sequence[Reply], trusted: Trusted, kind: Kind
) -> Iterator[DisguiseGrade]:
    """Compare the answer on each disguised model with that on the public one."""
    for reply in replies:
        task, kept = reply.asked.question.task, reply.asked.kept
        if task is None or kept is None or reply.answer is None:
            continue
        plain = _answer(_reply(replies, task.id))
        if plain is not None:
            yield DisguiseGrade(
                task=task.id,
                plain=_found(plain, kind, trusted, task.id, range(task.n_sections)),
                disguised=_found(reply.answer, kind, trusted, task.id, kept),
                allowed=ALLOWED,
            )


def _found(
    answer: Answer, kind: Kind, trusted: Trusted, task: str, places: Sequence[int]
) -> float:
    """Return the mean overlap with a task's profiles, whose sections may have moved."""
    writes = as_writes(attribution(answer), kind=kind).values
    reference = trusted.reference(task).promptwise
    found = [
        overlap(
            writes, moved(reference.profile(name), places, n_sections=len(writes))
        ).value
        for name in PROFILES
    ]
    return float(np.mean([value or 0.0 for value in found]))


def _grade(reply: Reply, kind: Kind) -> CircuitGrade:
    question, nulls = reply.asked.question, reply.asked.nulls
    if question.circuit is None or nulls is None:
        raise ValueError("Only answers on planted circuits are graded.")
    shape = question.circuit.shape
    found = (
        None
        if reply.answer is None
        else grade(
            attribution(reply.answer).values,
            kind=kind,
            truth=question.circuit.truth,
            nulls=nulls,
        )
    )
    return CircuitGrade(
        task=None if question.task is None else question.task.id,
        architecture=shape.architecture,
        blocks=shape.blocks,
        redundant=shape.redundant,
        overlap={
            n: None if found is None else found.overlap[n].value for n in PROFILES
        },
        skill={n: None if found is None else found.skill[n].value for n in PROFILES},
    )


def _endings(ended: Ended) -> Iterator[str]:
    if ended.stopped is not None:
        yield f"The method was stopped: {ended.stopped}."
    elif ended.code:
        yield f"The process of the method ended with code {ended.code}."


def _unusable(replies: Sequence[Reply]) -> Iterator[str]:
    """Name the questions without an answer; an untrained model may have none."""
    missing = [
        reply
        for reply in replies
        if reply.answer is None and not reply.asked.question.untrained
    ]
    for reply in missing[:MOST_UNUSABLE]:
        yield f"No usable answer on {reply.asked.question.label}: {reply.unusable}."
    if len(missing) > MOST_UNUSABLE:
        yield f"Nor on {len(missing) - MOST_UNUSABLE} more of {len(replies)} circuits."


def _gate_reasons(gate: Gate | None) -> Iterator[str]:
    if gate is None:
        yield "Fresh circuits could not be compared with public ones."
    elif not gate.holds:
        yield (
            "Circuits that nobody could know are found worse than public ones: the "
            f"mean overlap drops by {gate.drop:.3f} (allowed {gate.allowed:g}; "
            f"circuits drawn alike drop so far with probability {gate.p:.2g})."
        )


def _disguise_reasons(disguised: Sequence[DisguiseGrade]) -> Iterator[str]:
    for each in disguised:
        if not each.holds:
            yield (
                f"'{each.task}' is found worse when its model looks different and "
                f"computes the same: the mean overlap drops from {each.plain:.3f} to "
                f"{each.disguised:.3f} (allowed {each.allowed:g})."
            )
