"""What may replace a leaderboard, and as what."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.board_entries import leaderboard_entries
from bench.errors import FileFormatError, UserError
from bench.leaderboard import build
from bench.leaderboard.document import Board
from bench.leaderboard.errata import (
    Printed,
    check_errata,
    find_erratum,
    printed,
    read_printed,
)
from bench.leaderboard.generate import generate, write_leaderboard
from bench.leaderboard.render_errata import errata_parts
from bench.results.erratum_record import Erratum, ErratumRow, Versions
from bench.results.trusted import Trusted
from bench.submissions.manifest import MANIFEST
from tests.conftest import EARLY, LATE
from tests.corrections import correct_reference

Submit = Callable[..., Path]
REASON = "The reference was measured with the wrong seed."

pytestmark = pytest.mark.usefixtures("few_resamples")


def board_of(repository: Path, trusted: Trusted) -> Board:
    """Generate the leaderboard of a repository as it is now."""
    now = Trusted(repository, built_in=trusted.built_in)
    return generate(leaderboard_entries(repository, now), now).board


def shown(board: Board) -> Printed:
    """Take what a board shows."""
    return printed(json.loads(board.model_dump_json()))


@pytest.fixture
def before(submit: Submit, repository: Path, trusted: Trusted) -> Board:
    """A board with a submission and an undefined one."""
    submit()
    submit("undefined", values={EARLY: [-1.0] * 12, LATE: [-1.0] * 16})
    return board_of(repository, trusted)


@pytest.fixture
def next_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute by the next version of the scores."""
    monkeypatch.setattr(build, "SCORES_VERSION", build.SCORES_VERSION + 1)


def test_versions_and_digests_are_shown(before: Board, repository: Path) -> None:
    """The board says what it was computed by, and of which submissions."""
    assert before.versions == Versions(scores=1, suite="1.0", tasks={EARLY: 1, LATE: 1})
    rows = {row.method: row.digest for row in before.rows}
    manifest = repository / "submissions" / "my-method" / MANIFEST
    assert rows["my-method"] == json.loads(manifest.read_text())["digest"]
    assert rows["constant"] is None


def test_the_same_board_needs_nothing(before: Board) -> None:
    """Writing twice, and writing for the first time, need no erratum."""
    assert find_erratum(shown(before), before, ()) is None
    assert find_erratum(None, before, ()) is None


def test_other_rows_need_nothing(
    before: Board, repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """What is new, gone or replaced by other answers is no changed number."""
    submit("another")
    submit(flat=0.5)
    (repository / "submissions" / "undefined").rename(repository / "gone")
    after = board_of(repository, trusted)

    assert find_erratum(shown(before), after, ()) is None


def test_numbers_under_the_same_versions(
    before: Board, repository: Path, trusted: Trusted, edit_json: Callable
) -> None:
    """A reference or scorer that moves a number under its old version is refused.

    The ceiling moves skills; claims speak of overlaps, and stay as they are.
    """
    record = repository / "reference_results" / f"{EARLY}.json"
    edit_json(record, lambda r: r["ceiling"].update(emergence=0.8))
    after = board_of(repository, trusted)

    with pytest.raises(UserError) as caught:
        find_erratum(shown(before), after, ())
    lines = str(caught.value).splitlines()
    assert lines[0] == "Numbers changed under the same versions:"
    number = r"(-?\d\.\d+|undefined)"
    for line in lines[1:4]:
        assert re.match(rf"  [\w-]+: .* was {number}, is {number}", line)
    assert re.search(r" and \d+ more$", lines[3])
    assert lines[4] == (
        "If a scorer changed, raise SCORES_VERSION; if a reference did, give its task "
        "a new version that lists the [[earlier]] one. Then run: bench leaderboard "
        "--erratum REASON"
    )


def edited(board: Board, method: str, change: Callable[[dict], object]) -> Printed:
    """Take what a board shows, but for a change of one row."""
    document = json.loads(board.model_dump_json())
    change(next(row for row in document["rows"] if row["method"] == method))
    return printed(document)


def with_overlap(row: dict, overlap: object) -> None:
    """Change one number of a row."""
    row["tasks"][LATE]["profiles"]["composition"]["overlap"] = overlap


@pytest.mark.parametrize(
    ("method", "change", "said"),
    [
        ("my-method", lambda r: r.update(mean_skill=None), "mean skill was undefined"),
        ("undefined", lambda r: r.update(mean_skill=0.0), "mean skill was 0.0, is und"),
        (
            "my-method",
            lambda r: r.update(mean_skill=r["mean_skill"] + 1e-6),
            "mean skill was",
        ),
        (
            "constant",
            lambda r: with_overlap(r, 0.9),
            f"overlap on {LATE}, composition was 0.9, is 0.",
        ),
    ],
    ids=["now defined", "now undefined", "last decimal", "null"],
)
def test_one_number_is_enough(
    method: str, change: Callable[[dict], object], said: str, before: Board
) -> None:
    """The last printed decimal counts, and so do what is undefined, and nulls."""
    with pytest.raises(UserError, match=re.escape(f"  {method}: {said}")):
        find_erratum(edited(before, method, change), before, ())


def test_what_is_not_printed_does_not_count(before: Board) -> None:
    """A score that one of the boards has not, or an interval, is no changed number."""

    def change(row: dict) -> None:
        row["interval"] = [0.0, 0.1]
        del row["tasks"][LATE]

    assert find_erratum(edited(before, "my-method", change), before, ()) is None


def test_a_corrected_reference(
    before: Board, repository: Path, trusted: Trusted
) -> None:
    """A new version needs a reason and gets a table of the rows that moved."""
    correct_reference(repository)
    after = board_of(repository, trusted)
    with pytest.raises(UserError) as caught:
        find_erratum(shown(before), after, ())
    assert str(caught.value) == (
        "Versions changed since the leaderboard was written (induction/early 1 to 2). "
        "Say what was corrected: bench leaderboard --erratum REASON"
    )

    found = find_erratum(shown(before), after, (), reason=REASON)
    assert found is not None
    assert (found.reason, found.before, found.after) == (
        REASON,
        before.versions,
        after.versions,
    )
    skills = {row.method: (row.before, row.after) for row in found.rows}
    old = {row.method: row.mean_skill for row in before.rows}
    new = {row.method: row.mean_skill for row in after.rows}
    assert skills["my-method"] == (old["my-method"], new["my-method"])
    assert skills["my-method"][0] != skills["my-method"][1]
    assert {"constant", "other-tasks"} <= set(skills)
    assert "undefined" not in skills  # it was, it is
    order = [row.method for row in after.rows if row.method in skills]
    assert [row.method for row in found.rows] == order


def test_rows_that_came_or_went_are_not_in_the_table(
    before: Board, repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """They were not scored again; what was replaced is another submission."""
    submit("new")
    submit("my-method", flat=0.5)
    correct_reference(repository)
    (repository / "submissions" / "undefined").rename(repository / "gone")
    after = board_of(repository, trusted)

    found = find_erratum(shown(before), after, (), reason=REASON)
    assert found is not None
    assert not {row.method for row in found.rows} & {"new", "my-method", "undefined"}


def test_a_version_that_moves_nothing(before: Board) -> None:
    """A correction that shows nowhere has a reason and an empty table."""
    after = before.model_copy(
        update={"versions": before.versions.model_copy(update={"scores": 3})}
    )
    found = find_erratum(shown(before), after, (), reason=REASON)

    assert found is not None
    assert found.rows == ()


def test_a_board_of_the_next_scores(
    repository: Path, trusted: Trusted, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version of the scores is the package's."""
    submit()
    monkeypatch.setattr(build, "SCORES_VERSION", 7)

    assert board_of(repository, trusted).versions.scores == 7


def test_a_reason_without_a_change(before: Board) -> None:
    """An erratum about nothing is refused."""
    for old in (shown(before), None):
        with pytest.raises(UserError, match=r"^There is nothing that an erratum could"):
            find_erratum(old, before, (), reason=REASON)


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "a\u202eb", "a" * 401])
def test_bad_reasons(
    reason: str, before: Board, repository: Path, trusted: Trusted
) -> None:
    """A reason is one printable line."""
    correct_reference(repository)
    after = board_of(repository, trusted)

    with pytest.raises(
        UserError, match=r"^The reason of the erratum is .* of 1 to 400"
    ):
        find_erratum(shown(before), after, (), reason=reason)


def test_an_erratum_that_was_written_and_its_board_not(
    before: Board, repository: Path, trusted: Trusted
) -> None:
    """Whoever was interrupted in between just writes the board again."""
    correct_reference(repository)
    after = board_of(repository, trusted)
    found = find_erratum(shown(before), after, (), reason=REASON)
    assert found is not None

    assert find_erratum(shown(before), after, (found,)) is None


def test_a_missing_board_hides_no_version(
    before: Board, repository: Path, trusted: Trusted
) -> None:
    """Where there were errata, the last one says what versions there were."""
    correct_reference(repository)
    second = board_of(repository, trusted)
    first = find_erratum(shown(before), second, (), reason=REASON)
    assert first is not None
    correct_reference(repository)
    third = board_of(repository, trusted)

    with pytest.raises(UserError, match=r"\(induction/early 2 to 3\)"):
        find_erratum(None, third, (first,))
    with pytest.raises(FileFormatError) as caught:
        check_errata(third, (first,))
    assert str(caught.value) == (
        "Versions changed after the last erratum (induction/early 2 to 3). Say what "
        "was corrected: bench leaderboard --erratum REASON"
    )
    check_errata(second, (first,))
    check_errata(third, ())


def test_the_board_that_is_there(
    before: Board, repository: Path, trusted: Trusted
) -> None:
    """It is read as it was written; none, or one without versions, is none."""
    path = repository / "leaderboard.json"
    assert read_printed(path) is None
    now = Trusted(repository, built_in=trusted.built_in)
    write_leaderboard(
        generate(leaderboard_entries(repository, now), now), root=repository
    )
    assert read_printed(path) == shown(before)
    path.write_text('{"suite": "core", "rows": []}')
    assert read_printed(path) is None


@pytest.mark.parametrize(
    "text",
    [
        "<<<<<<< HEAD\n{",
        "[]",
        '{"versions": 1, "rows": []}',
        '{"versions": {"scores": 1, "suite": "1", "tasks": {}}, "rows": [1]}',
        '{"versions": {"scores": 1, "suite": "1", "tasks": {}}, "rows": [{"method": '
        '"a", "mean_skill": 7, "profiles": {}, "tasks": {}}]}',
        '{"versions": {"scores": 1, "suite": "1", "tasks": {}}, "rows": [{"method": '
        '"a", "mean_skill": "7", "profiles": {}, "tasks": {}}]}',
        '{"versions": {"scores": 1, "suite": "1", "tasks": {}}}',
        "\xff",
    ],
)
def test_a_board_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    """A merge conflict, say, is not taken for a board without numbers."""
    path = tmp_path / "leaderboard.json"
    path.write_text(text, encoding="latin1")

    with pytest.raises(FileFormatError) as caught:
        read_printed(path)
    assert str(caught.value) == (
        f"'{path}' cannot be read as a leaderboard, and the new one is compared with "
        "it. Restore it: git checkout HEAD -- leaderboard.json"
    )


def test_the_section() -> None:
    """The latest comes first; undefined is n/a, and all decimals are shown."""
    one, two, three = (
        Versions(scores=number, suite="1.0", tasks={}) for number in (1, 2, 3)
    )
    rows = (
        ErratumRow(method="my_method", digest=None, before=None, after=-0.0),
        ErratumRow(method="other", digest="a" * 64, before=0.123456, after=0.123457),
    )
    errata = (
        Erratum(reason="First | <b>.", before=one, after=two, rows=rows),
        Erratum(reason="Second.", before=two, after=three, rows=()),
    )

    assert list(errata_parts(())) == []
    assert list(errata_parts(errata))[2:] == [
        "**0002** (scores 2 to 3): Second.",
        "No number on the leaderboard moved.",
        "**0001** (scores 1 to 2): First \\| &lt;b&gt;.",
        "| method     | skill before   | after    |\n"
        "|------------|----------------|----------|\n"
        "| my\\_method | n/a            | 0.000000 |\n"
        "| other      | 0.123456       | 0.123457 |",
    ]
