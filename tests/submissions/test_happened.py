import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import FileFormatError
from bench.submissions.happened import (
    REMOVED,
    UNSEEN,
    Correction,
    Present,
    Verdict,
    happened,
)
from bench.submissions.ledger import Event, EventName
from bench.submissions.standing import GONE, replay

A, B = "a" * 64, "b" * 64
MINE = {"mine": (A, "Suite core 1.0.")}
CLONE, CLOSE = "clone: of yours", "closeness: too good"


def event(kind: EventName, digest: str = A, reason: str = "Because.") -> Event:
    """Make an event of one method."""
    return Event(event=kind, method="mine", digest=digest, reason=reason)


def after(*presents: Present) -> list[list[tuple[str, str, str]]]:
    """Return what happens from one state to the next: event, digest, reason."""
    events: list[Event] = []
    steps: list[list[tuple[str, str, str]]] = []
    for present in presents:
        new = happened(replay(events), present)
        events += new
        assert happened(replay(events), present) == []
        steps.append([(e.event, e.digest, e.reason) for e in new])
    return steps


def test_nothing_happened() -> None:
    """An empty repository has an empty ledger."""
    assert after(Present({})) == [[]]


def test_additions_in_order_of_names() -> None:
    """New submissions are added with what they answer."""
    found = happened({}, Present({"b": (B, "Two."), "a": (A, "One.")}))

    assert [(e.method, e.event, e.digest, e.reason) for e in found] == [
        ("a", "added", A, "One."),
        ("b", "added", B, "Two."),
    ]


def test_a_life() -> None:
    """Added, replaced, withdrawn, and added again."""
    mine = {"mine": (B, "Better.")}
    gone = Present({}, withdrawals={"mine": (B, "A bug.")})

    assert after(Present(MINE), Present(mine), gone, Present(mine)) == [
        [("added", A, "Suite core 1.0.")],
        [("replaced", B, "Better.")],
        [("withdrawn", B, "A bug.")],
        [("added", B, "Better.")],
    ]


def test_a_removed_folder() -> None:
    """What vanishes without a word is recorded, once."""
    assert after(Present(MINE), Present({}), Present({})) == [
        [("added", A, "Suite core 1.0.")],
        [("withdrawn", A, REMOVED)],
        [],
    ]


@pytest.mark.parametrize("before", [{}, {"mine": (B, "Older.")}])
def test_a_withdrawal_of_what_the_ledger_has_not_seen(before: dict) -> None:
    """What came and went between two updates came, too."""
    gone = Present({}, withdrawals={"mine": (A, "A bug.")})

    came = "replaced" if before else "added"
    assert after(Present(before), gone)[1] == [
        (came, A, UNSEEN),
        ("withdrawn", A, "A bug."),
    ]


def test_verdicts() -> None:
    """A verdict counts for the digest that it is on; a new one is a new line."""
    good = Verdict(A, "reproduced", "On circuits of commit 1.")
    again = Verdict(A, "refused", "On circuits of commit 2.")
    other = {"mine": (B, "Better.")}

    assert after(
        Present(MINE, verdicts={"mine": good}),
        Present(MINE, verdicts={"mine": again}),
        Present(other, verdicts={"mine": again}),
    ) == [
        [("added", A, "Suite core 1.0."), ("reproduced", A, good.reason)],
        [("refused", A, again.reason)],
        [("replaced", B, "Better.")],
    ]


def test_flags() -> None:
    """Flags come one by one; when one goes, those that stay are said again."""
    both = Present(MINE, flags={"mine": [CLONE, CLOSE, CLONE]})

    assert after(Present(MINE), both, Present(MINE, flags={"mine": [CLOSE]}), both) == [
        [("added", A, "Suite core 1.0.")],
        [("flagged", A, CLONE), ("flagged", A, CLOSE)],
        [("cleared", A, GONE), ("flagged", A, CLOSE)],
        [("flagged", A, CLONE)],
    ]


def test_nobody_looked_for_flags() -> None:
    """Flags that were not looked for are not gone."""
    flagged = Present(MINE, flags={"mine": [CLONE]})

    assert after(flagged, Present(MINE))[1] == []
    assert after(flagged, Present(MINE, flags={}))[1] == [("cleared", A, GONE)]


def test_a_lifted_flag_stays_lifted() -> None:
    """What a maintainer cleared is not flagged again, and a new reason is."""
    flagged = [event("added"), event("flagged", reason=CLONE)]
    standings = replay([*flagged, event("cleared", reason="Same lab.")])

    present = Present(MINE, flags={"mine": [CLONE]})
    assert happened(standings, present) == []
    more = Present(MINE, flags={"mine": [CLONE, CLOSE]})
    assert happened(standings, more) == [event("flagged", reason=CLOSE)]


def test_a_lifted_flag_counts_for_the_next_state_again() -> None:
    """Another submission under the same name is judged anew."""
    events = [event("added"), event("flagged", reason=CLONE), event("cleared")]
    present = Present({"mine": (B, "New.")}, flags={"mine": [CLONE]})

    assert [e.event for e in happened(replay(events), present)] == [
        "replaced",
        "flagged",
    ]


def test_corrections() -> None:
    """A correction is recorded where scores moved, once, for the state it moved."""
    first = Correction("Erratum 0001: a bug.", {"mine": A, "yours": B})
    second = Correction("Erratum 0002: a bug.", {"mine": B})
    other = {"mine": (B, "Better.")}

    assert after(
        Present(MINE),
        Present(MINE, corrections=[first]),
        Present(other, corrections=[first]),
        Present(MINE, corrections=[first, second]),
    ) == [
        [("added", A, "Suite core 1.0.")],
        [("rescored", A, first.reason)],
        [("replaced", B, "Better.")],
        [("replaced", A, "Suite core 1.0.")],
    ]


def test_reasons_of_others_become_plain() -> None:
    """No text of a submission breaks a line, turns it around, or is missing."""
    present = Present({"mine": (A, "a\n\u202eb"), "yours": (B, " \n")})

    assert [e.reason for e in happened({}, present)] == ["a ?b", "No reason was given."]


DIGESTS = st.sampled_from([A, B])
NAMES = st.sampled_from(["mine", "yours", "others"])
SAID = st.dictionaries(NAMES, st.tuples(DIGESTS, st.sampled_from(["x", "y"])))
FLAGS = st.dictionaries(NAMES, st.lists(st.sampled_from([CLONE, CLOSE])))
VERDICTS = st.tuples(DIGESTS, st.sampled_from(["reproduced", "refused"]), st.just("v"))
MOVED = st.dictionaries(st.sampled_from(["1", "2"]), st.dictionaries(NAMES, DIGESTS))
PRESENTS = st.tuples(SAID, SAID, st.dictionaries(NAMES, VERDICTS), FLAGS, MOVED)


def present_of(parts: tuple) -> Present:
    """Make a state of its parts."""
    here, gone, verdicts, flags, moved = parts
    return Present(
        here,
        withdrawals=gone,
        verdicts={name: Verdict(*verdict) for name, verdict in verdicts.items()},
        flags=flags,
        corrections=[Correction(*correction) for correction in moved.items()],
    )


@settings(deadline=None)
@given(st.lists(PRESENTS, max_size=6))
def test_any_history_can_be_replayed(states: list[tuple]) -> None:
    """Every update is idempotent, makes a valid ledger, and ends at what is there."""
    presents = [present_of(parts) for parts in states]
    after(*presents)
    events: list[Event] = []
    for present in presents:
        events += happened(replay(events), present)
        standings = replay(events)
        live = {name: s.digest for name, s in standings.items() if s.live}
        assert live == {name: said[0] for name, said in present.submissions.items()}
        for name, standing in standings.items():
            if standing.live:
                assert set(standing.flags) == set((present.flags or {}).get(name, ()))


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([event("added"), event("added")], "added, and it was there already"),
        ([event("withdrawn")], "withdrawn, and it was not there"),
        ([event("flagged")], "flagged, and it was not there"),
        (
            [event("added"), event("withdrawn"), event("reproduced")],
            "reproduced, and it was not there",
        ),
        ([event("added"), event("replaced")], "replaced, and with itself"),
        (
            [event("added"), event("withdrawn", B)],
            "withdrawn, and its digest was aaaaaaaaaaaa..., not bbbbbbbbbbbb...",
        ),
        ([event("added"), event("cleared")], "cleared, and there was no flag"),
    ],
)
def test_events_that_cannot_happen(events: list[Event], problem: str) -> None:
    """An intact chain of impossible events is refused with the line."""
    expected = (
        f"Line {len(events)} of the ledger says that 'mine' was {problem}. The ledger "
        "is only ever added to, with: bench ledger update. Restore it (git checkout)."
    )
    with pytest.raises(FileFormatError) as caught:
        replay(events)

    assert str(caught.value) == expected
