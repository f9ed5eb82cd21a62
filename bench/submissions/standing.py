"""Where every submission stands, as the ledger says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bench.errors import FileFormatError
from bench.submissions.ledger import Event

GONE = "The flag is no longer found."
"""Reason of a line that no maintainer wrote; such a flag counts again if it returns."""


@dataclass(frozen=True)
class Standing:
    """Where a submission stands."""

    digest: str
    """The manifest's."""
    live: bool = True
    """Whether it is there, and not withdrawn."""
    verdict: tuple[str, str] | None = None
    """What the last reproduction of this digest said: event and reason."""
    flags: tuple[str, ...] = ()
    """Reasons of the flags that stand."""
    cleared: frozenset[str] = frozenset()
    """Reasons of the flags that a maintainer lifted."""
    rescored: frozenset[tuple[str, str]] = frozenset()
    """Digests and reasons of the corrections that moved scores, of all its states."""


Standings = Mapping[str, Standing]
"""Method to where its submission stands."""


def replay(events: Iterable[Event]) -> dict[str, Standing]:
    """Follow the events of a ledger.

    Raises:
        FileFormatError: An event cannot happen where the submission stands.
    """
    standings: dict[str, Standing] = {}
    for number, event in enumerate(events, start=1):
        found = standings.get(event.method)
        problem = _problem(found, event)
        if problem is not None:
            raise FileFormatError(
                f"Line {number} of the ledger says that '{event.method}' was "
                f"{event.event}, and {problem}. The ledger is only ever added to, "
                "with: bench ledger update. Restore it (git checkout)."
            )
        standings[event.method] = follow(found, event)
    return standings


def _problem(found: Standing | None, event: Event) -> str | None:
    """Say why an event cannot happen, or None."""
    live = found is not None and found.live
    if event.event == "added":
        return "it was there already" if live else None
    if found is None or not live:
        return "it was not there"
    same = found.digest == event.digest
    if event.event == "replaced":
        return "with itself" if same else None
    if not same:
        return f"its digest was {found.digest[:12]}..., not {event.digest[:12]}..."
    if event.event == "cleared" and not found.flags:
        return "there was no flag"
    return None


def follow(found: Standing | None, event: Event) -> Standing:
    """Return where a submission stands after an event that can happen."""
    if found is None:
        return Standing(event.digest)
    if event.event in ("added", "replaced"):
        return Standing(event.digest, rescored=found.rescored)
    return _AFTER[event.event](found, event)


def _cleared(found: Standing, event: Event) -> Standing:
    by_hand = () if event.reason == GONE else found.flags
    return replace(found, flags=(), cleared=found.cleared.union(by_hand))


_AFTER: Mapping[str, Callable[[Standing, Event], Standing]] = {
    "reproduced": lambda found, e: replace(found, verdict=(e.event, e.reason)),
    "refused": lambda found, e: replace(found, verdict=(e.event, e.reason)),
    "flagged": lambda found, event: replace(found, flags=(*found.flags, event.reason)),
    "cleared": _cleared,
    "rescored": lambda found, event: replace(
        found, rescored=found.rescored | {(event.digest, event.reason)}
    ),
    "withdrawn": lambda found, _event: replace(found, live=False),
}
