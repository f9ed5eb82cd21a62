"""Compare what is there with what the ledger knows: what happened in between."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.submissions.ledger import Event, EventName, plain_reason
from bench.submissions.standing import GONE, Standing, Standings, follow

Said = tuple[str, str]
"""Digest of a submission's manifest, and a reason."""

REMOVED = "Its folder was removed."
UNSEEN = "Recorded with its withdrawal."


@dataclass(frozen=True)
class Verdict:
    """What a reproduction of a submission said."""

    digest: str
    event: EventName
    """``reproduced`` or ``refused``."""
    reason: str


@dataclass(frozen=True)
class Correction:
    """A corrected scorer or reference."""

    reason: str
    """Unique, as it bears the number of the erratum."""
    moved: Mapping[str, str]
    """Method to the digest of the submission whose scores moved."""


@dataclass(frozen=True)
class Present:
    """What a repository says of its submissions."""

    submissions: Mapping[str, Said]
    """Method to the submission, and to what it answers."""
    withdrawals: Mapping[str, Said] = field(default_factory=dict[str, Said])
    """Method to the submission that was withdrawn, and why."""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])
    flags: Mapping[str, Sequence[str]] | None = None
    """Method to the reasons of its flags; None if nobody looked for any."""
    corrections: Sequence[Correction] = ()


def happened(standings: Standings, present: Present) -> list[Event]:
    """Return the events that lead from the ledger's state to the present one.

    Followed by the ledger, the same call returns none.
    """
    names = {*standings, *present.submissions, *present.withdrawals}
    return [
        event
        for name in sorted(names)
        for event in _of_method(name, standings.get(name), present)
    ]


def _of_method(name: str, found: Standing | None, present: Present) -> Iterator[Event]:
    for event in _presence(name, found, present):
        yield event
        found = follow(found, event)
    if found is None or not found.live:
        return
    for part in (_verdict, _flags, _corrections):
        for event in part(name, found, present):
            yield event


def _event(name: str, event: EventName, digest: str, reason: str) -> Event:
    shown = plain_reason(reason) or "No reason was given."
    return Event(event=event, method=name, digest=digest, reason=shown)


def _presence(name: str, found: Standing | None, present: Present) -> Iterator[Event]:
    """Say whether the submission came, changed or went."""
    here, gone = present.submissions.get(name), present.withdrawals.get(name)
    if here is not None:
        yield from _arrival(name, found, here)
    elif gone is not None:
        digest, reason = gone
        if found is not None and not found.live and found.digest == digest:
            return
        yield from _arrival(name, found, (digest, UNSEEN))
        yield _event(name, "withdrawn", digest, reason)
    elif found is not None and found.live:
        yield _event(name, "withdrawn", found.digest, REMOVED)


def _arrival(name: str, found: Standing | None, said: Said) -> Iterator[Event]:
    digest, reason = said
    if found is None or not found.live:
        yield _event(name, "added", digest, reason)
    elif found.digest != digest:
        yield _event(name, "replaced", digest, reason)


def _verdict(name: str, found: Standing, present: Present) -> Iterator[Event]:
    verdict = present.verdicts.get(name)
    if verdict is None or verdict.digest != found.digest:
        return  # of a state of the submission that is no longer there
    event = _event(name, verdict.event, verdict.digest, verdict.reason)
    if (event.event, event.reason) != found.verdict:
        yield event


def _flags(name: str, found: Standing, present: Present) -> Iterator[Event]:
    """Say which flags are new, and start over if one is gone."""
    if present.flags is None:
        return
    reasons = [plain_reason(reason) for reason in present.flags.get(name, ())]
    reasons = [r for r in dict.fromkeys(reasons) if r not in found.cleared]
    standing = found.flags
    if not set(standing) <= set(reasons):
        yield _event(name, "cleared", found.digest, GONE)
        standing = ()
    for reason in reasons:
        if reason not in standing:
            yield _event(name, "flagged", found.digest, reason)


def _corrections(name: str, found: Standing, present: Present) -> Iterator[Event]:
    for correction in present.corrections:
        event = _event(name, "rescored", found.digest, correction.reason)
        moved = correction.moved.get(name) == found.digest
        if moved and (found.digest, event.reason) not in found.rescored:
            yield event
