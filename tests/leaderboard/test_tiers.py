from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cli.board_entries import board_entry, leaderboard_entries, standing_flags
from bench.leaderboard.document import BoardRow
from bench.leaderboard.generate import Leaderboard, generate
from bench.leaderboard.preview import preview_entry, render_preview
from bench.leaderboard.rows import NO_CODE, UNTRIED, Entry
from bench.results.reproduction_record import ReproductionRecord, reproduction_path
from bench.results.store import to_json, write_atomically
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_withdrawals
from bench.submissions.ledger import Event, extend, plain_reason
from bench.submissions.manifest import WITHDRAWAL, read_manifest
from bench.submissions.validation import validate_submission
from bench.submissions.withdrawal import Withdrawal
from tests.leaderboard.reproduced import COMMIT, reproduction

DAY = "2026-01-02"
OFF = 0.5
"""A share of a constant: what repeats the reference is flagged."""

Submit = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def folder(submit: Submit) -> Path:
    """A built-in method, and a submission of somebody's."""
    submit("eap-ig", origin="built-in", flat=1.0)
    return submit("my-method", flat=OFF)


def record(root: Path, found: ReproductionRecord) -> None:
    """Store what became of running a submission again."""
    write_atomically(reproduction_path(root, "my-method"), to_json(found))


def board_of(repository: Path, trusted: Trusted) -> Leaderboard:
    """Generate the leaderboard."""
    return generate(
        leaderboard_entries(repository, trusted),
        trusted,
        withdrawn=collect_withdrawals(repository),
    )


def row_of(repository: Path, trusted: Trusted) -> BoardRow:
    """Return the submission's row."""
    rows = board_of(repository, trusted).board.rows
    return next(row for row in rows if row.method == "my-method")


def test_a_claim_is_not_ranked(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """Without code nobody can run it again, and the row says so."""
    row = row_of(repository, trusted)

    assert (row.tier, row.rank_interval, row.fresh) == ("claimed", None, None)
    assert row.notes == (NO_CODE,)


def test_reproduced_is_ranked(folder: Path, repository: Path, trusted: Trusted) -> None:
    """It gets places, and shows its skill on fresh circuits with its interval."""
    record(repository, reproduction(read_manifest(folder).digest))
    row = row_of(repository, trusted)

    assert row.tier == "reproduced"
    assert row.rank_interval is not None
    assert row.prompt_rank_interval is not None
    assert row.notes == ()
    assert row.fresh is not None
    assert (row.fresh.skill, row.fresh.circuits) == (pytest.approx(0.3), 2)
    # Student's t with one degree of freedom: 12.7062 * sd / sqrt(2), sd = .1414
    assert row.fresh.interval == pytest.approx((0.3 - 1.27062, 0.3 + 1.27062), abs=1e-4)


def test_it_takes_places_from_others(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """A built-in method that was alone on the board is no longer."""

    def places() -> object:
        rows = board_of(repository, trusted).board.rows
        return next(r.prompt_rank_interval for r in rows if r.method == "eap-ig")

    assert places() == (1, 1)
    record(repository, reproduction(read_manifest(folder).digest))
    assert places() != (1, 1)


def test_refused_is_a_claim_with_reasons(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """The board says why, and shows what was found on fresh circuits all the same."""
    record(repository, reproduction(read_manifest(folder).digest, "refused"))
    row = row_of(repository, trusted)

    assert (row.tier, row.rank_interval) == ("claimed", None)
    assert row.notes == ("refused: answers differ",)
    assert row.fresh is not None
    assert row.fresh.verdict == "refused"


def test_a_verdict_on_another_submission_does_not_count(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """Whoever replaces a submission is not reproduced by what was there before."""
    record(repository, reproduction("0" * 64))

    assert row_of(repository, trusted).tier == "claimed"


def test_code_that_was_not_run_yet(
    repository: Path, trusted: Trusted, folder: Path
) -> None:
    """Code is run again after the merge; until then the row says so."""
    (mine,) = [e for e in entries(repository, trusted) if e.method.name == "my-method"]

    assert replace(mine, has_code=True).notes == (UNTRIED,)


def entries(repository: Path, trusted: Trusted) -> list[Entry]:
    """Return what the leaderboard is made of."""
    return leaderboard_entries(repository, trusted)


@pytest.fixture
def clone(submit: Submit, repository: Path, folder: Path) -> Path:
    """A reproduced submission that says what `my-method` says."""
    record(repository, reproduction(read_manifest(folder).digest))
    cloned = submit("the-clone", flat=OFF)
    found = reproduction(read_manifest(cloned).digest)
    path = reproduction_path(repository, "the-clone")
    write_atomically(path, to_json(found.model_copy(update={"method": "the-clone"})))
    return cloned


def tiers(repository: Path, trusted: Trusted) -> dict[str, str]:
    """Map the submissions to their tiers."""
    rows = board_of(repository, trusted).board.rows
    return {row.method: row.tier for row in rows if row.kind == "submission"}


def test_a_flagged_submission_is_not_ranked(
    clone: Path, repository: Path, trusted: Trusted
) -> None:
    """Reproduced or not, a clone waits for somebody to look at it."""
    assert tiers(repository, trusted) == {
        "my-method": "reproduced",
        "the-clone": "claimed",
    }
    rows = board_of(repository, trusted).board.rows
    notes = next(row.notes for row in rows if row.method == "the-clone")
    assert notes == ("flagged: the same answers as my-method",)


def test_the_ledger_says_who_was_first(
    clone: Path, repository: Path, trusted: Trusted
) -> None:
    """Whoever is added later is the clone, whatever it is called."""
    events = [
        Event(event="added", method=name, digest=digest, reason="Submitted.")
        for name, digest in (
            ("the-clone", read_manifest(clone).digest),
            ("my-method", read_manifest(clone.parent / "my-method").digest),
        )
    ]
    write_events(repository, events)

    assert tiers(repository, trusted) == {
        "my-method": "claimed",
        "the-clone": "reproduced",
    }


def test_a_cleared_flag_does_not_count(
    clone: Path, repository: Path, trusted: Trusted
) -> None:
    """A maintainer who looked at it may clear it, and only this flag of this digest."""
    found = entries(repository, trusted)
    ((flag,),) = standing_flags(found, trusted, ()).values()
    digest = read_manifest(clone).digest
    reasons = [
        ("added", "Submitted."),
        ("flagged", plain_reason(flag.text)),
        ("cleared", "By the same authors."),
    ]
    events = [
        Event.model_validate(
            {"event": event, "method": "the-clone", "digest": digest, "reason": reason}
        )
        for event, reason in reasons
    ]
    first = Event(
        event="added",
        method="my-method",
        digest=read_manifest(clone.parent / "my-method").digest,
        reason="Submitted.",
    )
    write_events(repository, [first, *events[:2]])
    assert tiers(repository, trusted)["the-clone"] == "claimed"
    write_events(repository, [first, *events])

    assert set(tiers(repository, trusted).values()) == {"reproduced"}


def write_events(repository: Path, events: list[Event]) -> None:
    """Write a ledger of these events."""
    lines = extend((), events, day=DAY, commit=COMMIT)
    text = "".join(line.text + "\n" for line in lines)
    write_atomically(repository / "records" / "ledger.jsonl", text.encode())


def test_withdrawn_submissions_are_named(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """They have no row, and their reason stands below the table."""
    digest = read_manifest(folder).digest
    for file in folder.iterdir():
        file.unlink()
    left = Withdrawal(method="my-method", digest=digest, reason="A <b>sign</b> error.")
    write_atomically(folder / WITHDRAWAL, to_json(left))
    found = board_of(repository, trusted)

    assert "my-method" not in {row.method for row in found.board.rows}
    assert [gone.method for gone in found.board.withdrawn] == ["my-method"]
    assert (
        "- **my-method**: A &lt;b&gt;sign&lt;/b&gt; error."
        in (found.files["leaderboard.md"])
    )


def test_the_section_of_submissions(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """Tier, fresh skill and commit of each, or why it is not ranked."""
    text = board_of(repository, trusted).files["leaderboard.md"]
    assert NO_CODE in text.partition("## Submissions")[2]

    record(repository, reproduction(read_manifest(folder).digest))
    text = board_of(repository, trusted).files["leaderboard.md"]
    line = next(
        line
        for line in text.partition("## Submissions")[2].splitlines()
        if line.startswith("| my-method")
    )
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == [
        "my-method",
        "reproduced",
        "0.30 [-0.97, 1.57] on 2",
        COMMIT[:12],
        "",
    ]


def preview_of(folder: Path, repository: Path, trusted: Trusted) -> str:
    """Preview a submission among those that are there."""
    found = validate_submission(folder, trusted)
    assert found.manifest is not None
    entry = board_entry(found.manifest, found.records, found.scores, trusted=trusted)
    others = leaderboard_entries(repository, trusted)
    return render_preview(preview_entry(entry, others, trusted, suite="core"))


def test_the_preview_ranks_as_if_reproduced(
    folder: Path, repository: Path, trusted: Trusted
) -> None:
    """Its places are those that the board gives once it is reproduced."""
    text = preview_of(folder, repository, trusted)
    record(repository, reproduction(read_manifest(folder).digest))
    row = row_of(repository, trusted)

    assert row.prompt_rank_interval is not None
    assert row.rank_interval is not None
    best, worst = row.rank_interval
    cells = [cell.strip() for cell in text.splitlines()[2].strip("|").split("|")]
    assert cells[0] == "my-method"
    assert cells[5] == (f"{best}-{worst}" if best != worst else f"{best}")


def test_the_preview_names_clones(
    folder: Path, submit: Submit, repository: Path, trusted: Trusted
) -> None:
    """The newcomer is the clone, whatever it is called."""
    newcomer = submit("a-clone", flat=OFF).rename(repository / "a-clone")
    text = preview_of(newcomer, repository, trusted)

    assert "Flagged: the same answers as my-method." in text
