import csv
import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.cli.board_entries import leaderboard_entries
from bench.errors import (
    FileFormatError,
    InvalidSubmissionError,
    ReferencePendingError,
    UnknownNameError,
)
from bench.leaderboard.document import Board, BoardRow
from bench.leaderboard.generate import (
    FILES,
    Leaderboard,
    check_leaderboard,
    generate,
    write_leaderboard,
)
from bench.leaderboard.markdown import escape
from bench.leaderboard.rows import Row, collect_rows
from bench.profiles.promptwise import PROFILES
from bench.results.store import to_json
from bench.results.trusted import Trusted
from bench.scores.nulls import ANALYTIC, RANDOM
from bench.submissions.manifest import read_manifest, sealed

EARLY, LATE = "induction/early", "induction/late"
NULLS = {*ANALYTIC, "norm-growth", "untrained-reference", "other-tasks", RANDOM}

Submit = Callable[..., Path]
Edit = Callable[[Path, Callable[[dict], object]], None]

pytestmark = pytest.mark.usefixtures("few_resamples")


def generated(repository: Path, trusted: Trusted) -> Leaderboard:
    """Generate the leaderboard of a repository."""
    return generate(leaderboard_entries(repository, trusted), trusted)


@pytest.fixture
def board(submit: Submit, repository: Path, trusted: Trusted) -> Leaderboard:
    """Two built-in methods that are equal, a worse one, a claim, an undefined one."""
    submit("eap-ig", origin="built-in")
    submit("attribution-patching", origin="built-in")
    submit("mean-ablation", origin="built-in", flat=1.0)
    submit("my-method")
    negative = {EARLY: [-1.0] * 12, LATE: [-1.0] * 16}
    submit("direct-logit-attribution", origin="built-in", values=negative)
    return generated(repository, trusted)


def plain(board: Leaderboard) -> dict:
    """Read the JSON file of a leaderboard."""
    return json.loads(board.files["leaderboard.json"])


def by_name(board: Leaderboard) -> dict[str, BoardRow]:
    """Map methods to rows."""
    return {row.method: row for row in board.board.rows}


def test_kinds_and_ranks(board: Leaderboard) -> None:
    """Built-in methods are ranked; claims, nulls and undefined ones are not."""
    rows = by_name(board)
    assert set(rows) == NULLS | {
        "eap-ig",
        "attribution-patching",
        "mean-ablation",
        "my-method",
        "direct-logit-attribution",
    }
    kinds = {name: (r.kind, r.tier, r.rank_interval) for name, r in rows.items()}
    # two tasks can separate nobody
    assert kinds["attribution-patching"] == ("builtin", "built-in", (1, 3))
    assert kinds["eap-ig"] == ("builtin", "built-in", (1, 3))
    assert kinds["mean-ablation"] == ("builtin", "built-in", (1, 3))
    assert kinds["my-method"] == ("submission", "claimed", None)
    assert kinds["direct-logit-attribution"] == ("builtin", "built-in", None)
    assert {kinds[name] for name in NULLS} == {("null", "null", None)}


def test_order(board: Leaderboard) -> None:
    """Rows go from the best skill to the worst, equals by name, undefined last."""
    names = [row.method for row in board.board.rows]
    assert names[:4] == ["attribution-patching", "eap-ig", "my-method", "mean-ablation"]
    assert names[-1] == "direct-logit-attribution"
    skills = [row.mean_skill for row in board.board.rows[:-1]]
    assert skills == sorted(skills, key=lambda skill: -(skill or 0.0))
    assert board.board.rows[-1].undefined is not None


def test_nulls_have_no_skill(board: Leaderboard) -> None:
    """No null is above zero anywhere, and every null is scored on every task."""
    for name in NULLS:
        row = by_name(board)[name]
        assert set(row.tasks) == {EARLY, LATE}
        for task in row.tasks.values():
            for profile in task.profiles.values():
                assert profile.skill is not None
                assert profile.skill <= 0.0


def test_contract_of_the_json(board: Leaderboard) -> None:
    """The JSON holds suite and rows with the promised keys and types."""
    document = plain(board)
    assert (document["suite"], document["suite_version"]) == ("core", "1.0")
    for row in document["rows"]:
        assert row["kind"] in ("submission", "builtin", "null", "oracle")
        assert row["tier"] in ("claimed", "built-in", "null")
        assert set(row) >= {
            "method",
            "mean_skill",
            "interval",
            "prompt_interval",
            "rank_interval",
            "in_top_group",
            "tasks",
        }
        assert set(row["tasks"]) == {EARLY, LATE}
        if row["mean_skill"] is None:
            assert row["undefined"]
            assert row["interval"] is None
            assert row["rank_interval"] is None
            continue
        low, high = row["interval"]
        assert -1.0 <= low <= high <= 1.0
        assert row["undefined"] is None
        for profile in PROFILES:
            assert set(row["profiles"][profile]) == {
                "skill",
                "interval",
                "prompt_interval",
                "undefined",
            }
            for task in row["tasks"].values():
                assert math.isfinite(task["profiles"][profile]["overlap"])
    ranked = {r["method"]: r["rank_interval"] for r in document["rows"]}
    assert ranked["eap-ig"] == [1, 3]
    assert ranked["my-method"] is None


def test_cost_and_date(board: Leaderboard) -> None:
    """Cost is the mean over tasks and the date that of the latest run."""
    rows = {row["method"]: row for row in plain(board)["rows"]}

    assert rows["my-method"]["cost_forward_equivalents"] == 3.0
    assert rows["my-method"]["date"] == "2026-01-02"
    assert rows["constant"]["cost_forward_equivalents"] is None
    assert rows["constant"]["date"] is None


def test_cost_is_unknown_if_one_is(
    submit: Submit,
    repository: Path,
    trusted: Trusted,
    rehash: Callable,
    edit_json: Edit,
) -> None:
    """A mean of some costs is no cost."""
    folder = submit()
    unknown = {"cost_forward_equivalents": None}
    edit_json(folder / "induction-early.json", lambda r: r.update(unknown))
    rehash(folder)

    rows = collect_rows(leaderboard_entries(repository, trusted), trusted, suite="core")
    assert {row.method: row.cost for row in rows}["my-method"] is None


def table(board: Leaderboard) -> dict[str, list[str]]:
    """Read the main table of the Markdown file: method to cells."""
    text = board.files["leaderboard.md"].split("\n\n")[2]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines()[2:]]
    assert {len(row) for row in rows} == {10}
    return {row[1].strip().strip("*"): [cell.strip() for cell in row] for row in rows}


def test_markdown(board: Leaderboard) -> None:
    """Nulls are in italics, ranks are intervals, undefined is n/a without a rank."""
    text = board.files["leaderboard.md"]
    assert text.startswith("# Leaderboard: suite core 1.0\n\nGenerated by ")
    assert text.endswith("|\n")
    rows = table(board)
    assert rows["attribution-patching"][:3] == [
        "1-3",
        "attribution-patching",
        "built-in",
    ]
    assert rows["mean-ablation"][0] == "1-3"
    assert rows["my-method"][0] == ""
    assert rows["my-method"][2] == "claimed"
    assert rows["direct-logit-attribution"][0] == ""
    assert rows["direct-logit-attribution"][3:7] == ["n/a", "", "n/a", "n/a"]
    assert rows["my-method"][7] == "2/2"
    for name in NULLS:
        assert rows[name][0] == ""
        assert rows[name][1] == f"*{name}*"
        assert rows[name][2] == "*null*"
    family = text.partition("\n## Family induction\n")[2]
    assert re.search(r"\| method +\| early +\| late +\|", family)
    assert re.search(r"\| best null - ceiling +\| 0\.\d\d - (1\.00|0\.9\d), ", family)
    assert family.count("n/a, n/a") == 2
    assert "(!)" not in text
    assert "-0.00 " not in text


def test_too_little_room_is_said(
    submit: Submit, repository: Path, trusted: Trusted
) -> None:
    """A profile on which nobody is ranked says so, and the mean leaves it out."""
    record = trusted.references[EARLY].record
    record.ceiling["emergence"] = 0.6
    submit("eap-ig", origin="built-in")
    board = generated(repository, trusted)

    assert board.files["leaderboard.md"].count("(!)") == 1
    tasks = by_name(board)["eap-ig"].tasks
    early = tasks[EARLY].profiles["composition"].skill
    late = np.mean([tasks[LATE].profiles[name].skill or 0.0 for name in PROFILES])
    assert early is not None
    assert by_name(board)["eap-ig"].mean_skill == pytest.approx((early + late) / 2)
    document = plain(board)
    for plain_row in document["rows"]:
        found = plain_row["tasks"][EARLY]["profiles"]["emergence"]
        assert found["ranked"] is False


def test_same_bytes_every_time(
    board: Leaderboard, repository: Path, trusted: Trusted
) -> None:
    """Generating again, from files read again, changes not a byte."""
    again = Trusted(repository, built_in=trusted.built_in)

    assert generated(repository, again).files == board.files


@pytest.mark.parametrize("name", FILES)
def test_check_passes_until_a_file_is_edited(
    repository: Path, trusted: Trusted, name: str
) -> None:
    """What was written is current; one byte more, or no file, is not."""
    board = generated(repository, trusted)
    write_leaderboard(board, root=repository)
    check_leaderboard(board, root=repository)

    path = repository / name
    expected = rf"^{re.escape(name)} do not show the present submissions and references"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(FileFormatError, match=expected):
        check_leaderboard(board, root=repository)
    path.unlink()
    with pytest.raises(FileFormatError, match=expected):
        check_leaderboard(board, root=repository)


def test_a_new_submission_makes_the_files_stale(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """The check looks at what the files should be, not at their dates."""
    write_leaderboard(generated(repository, trusted), root=repository)
    submit()

    expected = "^leaderboard.md and leaderboard.json and leaderboard.csv do not show"
    with pytest.raises(FileFormatError, match=expected):
        check_leaderboard(generated(repository, trusted), root=repository)


def test_without_submissions(repository: Path, trusted: Trusted) -> None:
    """Nulls are shown from the first day."""
    board = generated(repository, trusted)

    assert set(by_name(board)) == NULLS


def test_loose_files_are_no_submissions(repository: Path, trusted: Trusted) -> None:
    """A README beside the submissions is left alone."""
    (repository / "submissions").mkdir()
    (repository / "submissions" / "README.md").write_text("")

    assert set(by_name(generated(repository, trusted))) == NULLS


def test_invalid_submissions_stop_everything(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """Every invalid submission is named, with how to see its problems."""
    submit("good-one")
    for name in ("bad-one", "bad-two"):
        (submit(name) / "run.py").write_text("")

    expected = (
        "The leaderboard needs valid submissions; bad-one, bad-two have problems. See: "
        "bench validate submissions/bad-one submissions/bad-two"
    )
    with pytest.raises(InvalidSubmissionError, match=f"^{re.escape(expected)}$"):
        generated(repository, trusted)


def test_one_invalid_submission(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """One has problems, two have."""
    (submit("bad-one") / "run.py").write_text("")

    with pytest.raises(InvalidSubmissionError, match=r"; bad-one has problems\. See"):
        generated(repository, trusted)


def test_other_suites_have_their_own_board(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """A submission to another suite is checked, and not mixed in."""
    submit("half-method", suite="half")
    submit("my-method")

    assert "half-method" not in by_name(generated(repository, trusted))


@pytest.fixture
def pending(repository: Path) -> Trusted:
    """A repository with a suite of a measured task and one that nobody measured."""
    tasks = repository / "tasks"
    path = shutil.copytree(tasks / LATE, tasks / "induction" / "later") / "task.toml"
    path.write_text(path.read_text().replace('name = "late"', 'name = "later"'))
    with (tasks / "suites.toml").open("a") as suites:
        suites.write('[more]\nversion = "0.1"\nsummary = "To be measured."\n')
        suites.write(f'tasks = ["{EARLY}", "induction/later"]\n')
    return Trusted(repository, built_in=frozenset())


def test_pending_suites(repository: Path, pending: Trusted) -> None:
    """Suites are listed with what was not measured of them; measured ones are not."""
    board = generated(repository, pending)

    assert plain(board)["reference_pending"] == {"more": ["induction/later"]}
    (more,) = board.files["leaderboard.md"].split("\n## Suite ")[1:]
    assert more.startswith("more\n\n")
    rows = [re.split(r" *\| *", row)[1:-1] for row in more.splitlines()[2:]]
    assert [rows[0], *rows[2:]] == [
        ["task", "reference"],
        ["induction/later", "reference pending"],
    ]


def test_pending_suites_change_no_rank(
    repository: Path, pending: Trusted, trusted: Trusted
) -> None:
    """Tasks outside the suite, measured or not, do not move its board."""
    before = generated(repository, trusted).files["leaderboard.md"]
    after = generated(repository, pending).files["leaderboard.md"]

    assert after.partition("\n## Suite ")[0] == before.partition("\n## Suite ")[0]


def test_a_board_needs_its_references(repository: Path, trusted: Trusted) -> None:
    """Without a reference of one of its tasks there is no board."""
    (repository / "reference_results" / f"{LATE}.json").unlink()
    again = Trusted(repository, built_in=trusted.built_in)

    expected = re.escape(
        f"The reference of '{LATE}' is pending. Measure it with: bench reference "
        f"compute {LATE}"
    )
    with pytest.raises(ReferencePendingError, match=f"^{expected}$"):
        generated(repository, again)


def test_tasks_outside_the_suite_do_not_count(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """An answer to a further task moves nothing."""
    submit("my-method")
    trusted.suites["core"] = trusted.suites["half"]
    board = by_name(of_half(repository, trusted))

    assert list(board["my-method"].tasks) == [EARLY]


def of_half(repository: Path, trusted: Trusted) -> Leaderboard:
    """Generate with a suite of one task; the submission names its old version."""
    folder = repository / "submissions" / "my-method"
    path = folder / "submission.json"
    path.write_text(path.read_text().replace('"version": "1.0"', '"version": "2.1"'))
    path.write_bytes(to_json(sealed(read_manifest(folder))))
    return generated(repository, trusted)


def test_unknown_suite(repository: Path, trusted: Trusted) -> None:
    """A repository without the suite is told so."""
    del trusted.suites["core"]

    with pytest.raises(UnknownNameError, match=r"^No suite is called 'core'\."):
        generated(repository, trusted)


HOSTILE = 'a|b `c` <script> **d** [e] #f ~g ![h] \\ &amp; "i"'


def test_escape_by_hand() -> None:
    """Nothing that Markdown or HTML could take for its own is left."""
    assert escape("a|b`c`<i>*_#~!\\&") == (
        "a\\|b\\`c\\`&lt;i&gt;\\*\\_\\#\\~\\!\\\\&amp;"
    )
    assert escape("a\nb\r\nc\u2028d") == "a b c d"


def test_hostile_texts_stay_in_their_cell(
    repository: Path,
    trusted: Trusted,
    submit: Submit,
    edit_json: Edit,
    rehash: Callable,
) -> None:
    """A summary cannot break the table or bring markup; it is kept as it is in JSON."""
    folder = submit()
    for path in folder.glob("induction-*.json"):
        edit_json(path, lambda r: r["method"].update(summary=HOSTILE))
    edit_json(folder / "submission.json", lambda m: m["method"].update(summary=HOSTILE))
    rehash(folder)
    board = generated(repository, trusted)

    text = board.files["leaderboard.md"]
    assert "<b>" not in text
    assert "<script>" not in text
    rows = {row["method"]: row for row in plain(board)["rows"]}
    assert rows["my-method"]["summary"] == HOSTILE


def test_a_row_without_records_has_no_date() -> None:
    """A null was never run."""
    row = Row("constant", "null", "null", "", (), (), ())

    assert (row.cost, row.date, row.ranked) == (None, None, False)


def test_a_part_of_the_tasks_is_shown_and_not_ranked(
    repository: Path, trusted: Trusted, submit: Submit
) -> None:
    """Who leaves a task out has no mean, however good the rest is."""
    submit("eap-ig", origin="built-in")
    (entry,) = leaderboard_entries(repository, trusted)
    half = replace(
        entry,
        records=entry.records[:1],
        scores=entry.scores[:1],
        incomplete="too | large",
    )
    board = generate([half], trusted)
    row = by_name(board)["eap-ig"]

    assert (row.tasks_done, row.tasks_total) == (1, 2)
    assert (row.mean_skill, row.interval, row.rank_interval) == (None, None, None)
    reason = f"not run on {LATE}: too | large"
    assert row.undefined == reason
    assert row.profiles["emergence"].undefined == reason
    assert row.cost_forward_equivalents is None
    assert board.board.rows[-1] == row
    assert table(board)["eap-ig"][7] == "1/2"
    said = f"- **eap-ig**: {escape(reason)}."
    assert said in board.files["leaderboard.md"].splitlines()


def test_sheet(board: Leaderboard) -> None:
    """The CSV holds the JSON's numbers, a line for each method, task and profile."""
    lines = list(csv.DictReader(board.files["leaderboard.csv"].splitlines()))

    assert len(lines) == len(board.board.rows) * 4
    for line in lines:
        row = by_name(board)[line["method"]]
        found = row.tasks[line["task"]].profiles[line["profile"]]  # type: ignore[index]
        for name in ("overlap", "skill", "pearson", "wasserstein"):
            value = getattr(found, name)
            assert line[name] == ("" if value is None else str(value))
        assert line["best_null"] == found.best_null.name
        if found.interval is None:
            assert line["skill_low"] == line["skill_high"] == ""
        else:
            assert float(line["skill_low"]) == found.interval[0]


def test_document_is_read_back(board: Leaderboard) -> None:
    """The file fits the model that its schema is generated from."""
    assert Board.parse(board.files["leaderboard.json"], file="board") == board.board
