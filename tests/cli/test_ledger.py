"""``bench ledger``."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.cli import ledger as module
from bench.cli.board_entries import leaderboard_entries
from bench.cli.trusted import read_trusted
from bench.leaderboard.flags import Flag
from bench.results.erratum_record import Erratum, ErratumRow, Versions, write_erratum
from bench.results.reproduction_record import reproduction_path
from bench.submissions.ledger import LEDGER, read_ledger
from bench.submissions.manifest import MANIFEST, read_manifest
from bench.submissions.withdrawal import Withdrawal
from tests.conftest import EARLY, LATE, PROVENANCE

Bench = Callable[..., Any]
Submit = Callable[..., Path]
A, B = "a" * 40, "b" * 40
DAY = ("--date", "2020-01-02")
FIRST = "Suite core 1.0, 2 of 2 tasks."

pytestmark = pytest.mark.usefixtures("few_resamples")


@pytest.fixture
def flags(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Flag, ...]]:
    """Method to the flags that are found; none until a test puts some in."""
    found: dict[str, tuple[Flag, ...]] = {}
    monkeypatch.setattr(module, "standing_flags", lambda *_: found)
    return found


@pytest.fixture
def update(
    bench: Bench, repository: Path, flags: dict
) -> Callable[..., list[tuple[str, str, str]]]:
    """Update the ledger and return the events that were added."""

    def run(commit: str = A, *options: str) -> list[tuple[str, str, str]]:
        before = len(read_ledger(repository / LEDGER))
        ran = bench("ledger", "update", "--commit", commit, *(options or DAY))
        assert ran.code == 0, ran.err
        lines = read_ledger(repository / LEDGER)[before:]
        assert len(lines) == max(0, len(ran.out.splitlines()) - 2)
        return [(line.event, line.method, line.reason) for line in lines]

    return run


def withdraw(folder: Path, reason: str = "A bug.") -> None:
    """Leave a withdrawal alone in a submission's folder."""
    digest = read_manifest(folder).digest
    for path in folder.iterdir():
        path.unlink()
    left = Withdrawal(method=folder.name, digest=digest, reason=reason)
    (folder / "withdrawal.json").write_text(left.model_dump_json())


def test_a_submission_and_its_end(
    update: Callable, submit: Submit, repository: Path
) -> None:
    """Added, replaced, withdrawn, each once, with commit, date and digest."""
    first = read_manifest(submit()).digest
    assert update() == [("added", "my-method", FIRST)]
    assert update() == []
    folder = submit(flat=0.5)
    second = read_manifest(folder).digest
    assert update(B) == [("replaced", "my-method", FIRST)]
    withdraw(folder)
    assert update(B, "--date", "2020-01-03") == [("withdrawn", "my-method", "A bug.")]
    assert update() == []

    lines = read_ledger(repository / LEDGER)
    assert [line.digest for line in lines] == [first, second, second]
    assert [line.commit for line in lines] == [A, B, B]
    assert [line.date for line in lines] == ["2020-01-02", "2020-01-02", "2020-01-03"]


def test_an_incomplete_submission(
    update: Callable, bench: Bench, write_results: Callable[..., Path]
) -> None:
    """The reason why tasks are missing is in the ledger, too."""
    results = write_results()
    (results / "induction" / "late.json").unlink()
    options = ("--incomplete", "too large for us", "--write", "--no-git")
    bench("submit", "my-method", "--results", results, *options)

    said = "Suite core 1.0, 1 of 2 tasks: too large for us"
    assert update() == [("added", "my-method", said)]


def write_reproduction(root: Path, name: str, **changes: object) -> None:
    """Store what a reproduction said, as far as the ledger looks."""
    record = {
        "method": name,
        "digest": read_manifest(root / "submissions" / name).digest,
        "commit": "c" * 40,
        "verdict": "reproduced",
        "reasons": [],
        "agreement": {},
        "public": [],
        "fresh": [],
        "gate": None,
        "isolation": {"kind": "process", "timeout_s": 1.0, "memory_gb": 1.0},
        "wall_s": 1.0,
        "provenance": PROVENANCE.model_dump(),
    }
    path = reproduction_path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record | changes))


def test_reproductions(update: Callable, submit: Submit, repository: Path) -> None:
    """A verdict is recorded with what it rests on, and a new one again."""
    submit()
    write_reproduction(repository, "my-method")
    on = "Run again on circuits from commit cccccccccccc"
    assert update()[1:] == [("reproduced", "my-method", f"{on}.")]
    assert update() == []

    reasons = ["It ran out of time.", "Bad answer"]
    write_reproduction(repository, "my-method", verdict="refused", reasons=reasons)
    said = f"{on}: It ran out of time; Bad answer."
    assert update() == [("refused", "my-method", said)]


def test_a_reproduction_of_something_else(
    update: Callable, submit: Submit, repository: Path
) -> None:
    """What was run again is one state of a submission, and no other."""
    submit()
    write_reproduction(repository, "my-method", digest="0" * 64)

    assert update() == [("added", "my-method", FIRST)]


def test_a_malformed_reproduction(
    bench: Bench, submit: Submit, repository: Path
) -> None:
    """It is named, and nothing is recorded."""
    submit()
    write_reproduction(repository, "my-method", verdict="maybe")
    ran = bench("ledger", "update", "--commit", A)

    assert ran.code == 2
    assert "my-method.json' is not a valid ReproductionRecord:\n  verdict: " in ran.err
    assert not (repository / LEDGER).exists()


def test_errata(update: Callable, submit: Submit, repository: Path) -> None:
    """A correction is recorded for the submissions that it moved."""
    digest = read_manifest(submit()).digest
    submit("unmoved")
    one, two = (Versions(scores=n, suite="1.0", tasks={}) for n in (1, 2))
    rows = [
        ErratumRow(method=name, digest=of, before=0.1, after=0.2)
        for name, of in (("constant", None), ("my-method", digest))
    ]
    found = Erratum(reason="A wrong seed.", before=one, after=two, rows=tuple(rows))
    write_erratum(repository, 1, found)

    said = ("rescored", "my-method", "Erratum 0001: A wrong seed.")
    assert [event for event in update() if event[0] == "rescored"] == [said]
    assert update() == []


def test_flags(update: Callable, bench: Bench, submit: Submit, flags: dict) -> None:
    """A flag is recorded, lifted with a reason by a person, and stays lifted."""
    submit()
    reason = "the same answers as your-method"
    flags["my-method"] = (Flag("clone", reason),)
    assert update()[1:] == [("flagged", "my-method", reason)]
    because = ("--reason", "Both are ours.", "--commit", B, *DAY)

    ran = bench("ledger", "clear", "my-metod", *because)
    assert ran.code == 2
    assert "No flagged submission is called 'my-metod'. Did you mean 'my-" in ran.err
    ran = bench("ledger", "clear", "my-method", *because)
    assert ran.code == 0
    assert ran.out.splitlines()[2].split()[1:3] == ["cleared", "my-method"]
    assert update() == []
    ran = bench("ledger", "clear", "my-method", *because)
    assert (ran.code, ran.err) == (
        2,
        "No flagged submission is called 'my-method'. Known: none.\n",
    )


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\u202eb", "a" * 501])
def test_bad_reasons(
    reason: str,
    update: Callable,
    bench: Bench,
    submit: Submit,
    repository: Path,
    flags: dict,
) -> None:
    """A maintainer's reason is one printable line."""
    submit()
    flags["my-method"] = (Flag("clone", "the same answers as another"),)
    update()
    before = (repository / LEDGER).read_bytes()
    ran = bench("ledger", "clear", "my-method", "--reason", reason, "--commit", A, *DAY)

    assert ran.code == 2
    assert "expected one line of printable characters, 500 at most." in ran.err
    assert (repository / LEDGER).read_bytes() == before


@pytest.mark.parametrize("commit", ["HEAD", "abc1234", "A" * 40, "", "a" * 41])
def test_bad_commits(commit: str, bench: Bench, submit: Submit) -> None:
    """A commit is given by all of its digits."""
    submit()
    ran = bench("ledger", "update", "--commit", commit, *DAY)

    assert ran.code == 2
    assert ran.err == (
        f"The commit is {commit!a}; expected all of its 40 digits, as git rev-parse "
        "HEAD prints them.\n"
    )


@pytest.mark.parametrize(
    "day", ["2020-01-01", "9999-01-01", "2020-02-30", "20200103", "today", "2020-W05-1"]
)
def test_bad_dates(
    day: str, update: Callable, bench: Bench, submit: Submit, repository: Path
) -> None:
    """A date is a day that is neither before the last line's nor to come."""
    submit()
    update()
    submit("another")
    before = (repository / LEDGER).read_bytes()
    ran = bench("ledger", "update", "--commit", A, "--date", day)

    today = datetime.now(UTC).date().isoformat()
    assert ran.code == 2
    assert ran.err == (
        f"The date is {day!a}; expected a day from 2020-01-02 to today, {today} (UTC), "
        "as YYYY-MM-DD.\n"
    )
    assert (repository / LEDGER).read_bytes() == before


def test_the_date_is_today(bench: Bench, submit: Submit, repository: Path) -> None:
    """Without a date, it is the present day of UTC."""
    days = {datetime.now(UTC).date().isoformat()}
    submit()
    assert bench("ledger", "update", "--commit", A).code == 0
    days.add(datetime.now(UTC).date().isoformat())

    assert read_ledger(repository / LEDGER)[0].date in days


def test_nothing_happened(bench: Bench, repository: Path) -> None:
    """Nothing is written where there is nothing to write."""
    ran = bench("ledger", "update", "--commit", A)

    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "Nothing happened since the last update.\n"
    assert not (repository / "records").exists()


def test_an_invalid_submission(bench: Bench, submit: Submit, repository: Path) -> None:
    """Nothing is recorded while a submission has problems."""
    (submit() / "run.sh").write_text("")
    ran = bench("ledger", "update", "--commit", A)

    assert ran.code == 3
    assert not (repository / LEDGER).exists()


def test_show(update: Callable, bench: Bench, submit: Submit) -> None:
    """Lines are printed as a table or as JSON, all or those of one submission."""
    ran = bench("ledger", "show")
    assert (ran.code, ran.out, ran.err) == (0, "", "The ledger is empty.\n")
    assert json.loads(bench("ledger", "show", "--json").out) == []
    submit()
    submit("another")
    update()

    lines = bench("ledger", "show").out.splitlines()
    assert lines[0].split() == ["date", "event", "method", "digest", "commit", "reason"]
    assert [line.split()[:3] for line in lines[2:]] == [
        ["2020-01-02", "added", "another"],
        ["2020-01-02", "added", "my-method"],
    ]
    assert len(bench("ledger", "show", "another").out.splitlines()) == 3
    document = json.loads(bench("ledger", "show", "my-method", "--json").out)
    assert [(row["method"], row["date"]) for row in document] == [
        ("my-method", "2020-01-02")
    ]
    ran = bench("ledger", "show", "anther")
    assert ran.code == 2
    assert ran.err.startswith("No submission in the ledger is called 'anther'. Did you")


def test_check(
    update: Callable, bench: Bench, submit: Submit, repository: Path, tmp_path: Path
) -> None:
    """A ledger that grew passes beside its older copy; one that lost a line fails."""
    path, older = repository / LEDGER, tmp_path / "older.jsonl"
    ran = bench("ledger", "check")
    assert (ran.code, ran.err) == (0, "The ledger is sound: 0 line(s).\n")
    submit()
    update()
    shutil.copy(path, older)
    submit("another")
    update()

    ran = bench("ledger", "check", "--against", older)
    assert (ran.code, ran.err) == (0, "The ledger is sound: 2 line(s).\n")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert bench("ledger", "check", "--against", older).code == 0
    path.unlink()
    assert bench("ledger", "check").code == 0
    assert bench("ledger", "check", "--against", older).code == 2


def test_check_of_a_broken_ledger(
    update: Callable, bench: Bench, submit: Submit, repository: Path
) -> None:
    """No command goes on from a ledger that was edited."""
    submit()
    submit("another")
    update()
    path = repository / LEDGER
    path.write_text(path.read_text().replace("another", "nothing"))
    broken = path.read_bytes()

    for line in (
        ["check"],
        ["show"],
        ["update", "--commit", A],
        ["clear", "my-method", "--reason", "x", "--commit", A],
    ):
        ran = bench("ledger", *line)
        assert ran.code == 2
        assert ran.err.startswith(f"Line 2 of '{path}' follows a line of SHA-256 ")
    assert path.read_bytes() == broken


def test_check_of_events_that_cannot_be(
    update: Callable, bench: Bench, submit: Submit, repository: Path
) -> None:
    """A line that was added by hand, with a sound chain, is looked at, too."""
    submit()
    update()
    lines = read_ledger(repository / LEDGER)
    again = lines[0].model_copy(update={"previous": lines[0].digest_of_line})
    with (repository / LEDGER).open("a") as file:
        file.write(again.text + "\n")

    ran = bench("ledger", "check")
    assert ran.code == 2
    assert "'my-method' was added, and it was there already" in ran.err


def test_check_against_nothing(bench: Bench, tmp_path: Path) -> None:
    """An older copy that is not there proves nothing."""
    ran = bench("ledger", "check", "--against", tmp_path / "none")

    assert ran.code == 2
    assert ran.err == (
        f"The older ledger '{tmp_path / 'none'}' does not exist. Get it, for example: "
        f"git show main:records/ledger.jsonl > {tmp_path / 'none'}\n"
    )


def test_a_removed_folder(update: Callable, submit: Submit) -> None:
    """A submission that is gone without a word has its line."""
    folder = submit()
    update()
    assert (folder / MANIFEST).exists()
    shutil.rmtree(folder)

    assert update() == [("withdrawn", "my-method", "Its folder was removed.")]


def flagged(repository: Path) -> list[tuple[str, str]]:
    """Return the flags of the ledger, and those that were lifted."""
    lines = read_ledger(repository / LEDGER)
    kinds = ("flagged", "cleared")
    return [(line.event, line.method) for line in lines if line.event in kinds]


def shown_flags(repository: Path) -> dict[str, tuple[str, ...]]:
    """Return the flags that the leaderboard goes by."""
    entries = leaderboard_entries(repository, read_trusted(repository))
    return {entry.method.name: entry.flags for entry in entries}


def test_the_younger_of_two_clones_is_flagged(
    bench: Bench, submit: Submit, repository: Path
) -> None:
    """Age is when the present answers came, whatever the name had before."""
    line = ("ledger", "update", "--commit", A, *DAY)
    submit("aaa", values={EARLY: range(12), LATE: range(16)})
    submit("zzz", flat=0.5)
    assert bench(*line).code == 0
    assert flagged(repository) == []

    submit("aaa", flat=0.5)  # has been there for long, with something else
    assert bench(*line).code == 0
    assert flagged(repository) == [("flagged", "aaa")]
    assert bench(*line).err == "Nothing happened since the last update.\n"
    assert shown_flags(repository) == {"aaa": ("the same answers as zzz",), "zzz": ()}

    because = ("--reason", "Both are ours.", "--commit", A, *DAY)
    assert bench("ledger", "clear", "aaa", *because).code == 0
    assert bench(*line).err == "Nothing happened since the last update.\n"
    assert shown_flags(repository) == {"aaa": (), "zzz": ()}
