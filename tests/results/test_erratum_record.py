import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FileFormatError
from bench.results.erratum_record import (
    ERRATA,
    Erratum,
    ErratumRow,
    Versions,
    describe_change,
    read_errata,
    write_erratum,
)

TASKS = {"induction/early": 1, "induction/late": 1}


def versions(scores: int = 1, suite: str = "1.0", **tasks: int) -> Versions:
    """Make versions; tasks go by the part of their name behind the family."""
    changed = {f"induction/{name}": version for name, version in tasks.items()}
    return Versions(scores=scores, suite=suite, tasks=TASKS | changed)


def erratum(before: Versions, after: Versions) -> Erratum:
    """Make an erratum that moved one row."""
    row = ErratumRow(method="mine", digest="a" * 64, before=0.5, after=None)
    return Erratum(reason="A bug.", before=before, after=after, rows=(row,))


ONE = erratum(versions(), versions(2))
TWO = erratum(versions(2), versions(2, early=2))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with two errata."""
    for number, found in enumerate((ONE, TWO), start=1):
        write_erratum(tmp_path, number, found)
    return tmp_path


def test_errata_are_read_in_order(root: Path) -> None:
    """What is written is read, from the first to the last, and none at first."""
    assert read_errata(root) == (ONE, TWO)
    assert [p.name for p in sorted((root / ERRATA).iterdir())] == [
        "0001.json",
        "0002.json",
    ]
    assert read_errata(root / "none") == ()


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda folder: (folder / "0001.json").unlink(), "0002.json"),
        (lambda folder: (folder / "0002.json").rename(folder / "3.json"), "3.json"),
        (lambda folder: (folder / "notes.md").write_text(""), "notes.md"),
        (lambda folder: (folder / "0002.json.partial").write_text(""), "0002.json.par"),
    ],
    ids=["missing", "renamed", "another", "leftover"],
)
def test_numbers_have_no_gap(
    change: Callable[[Path], object], odd: str, root: Path
) -> None:
    """A folder with a missing, renamed or foreign file is refused."""
    change(root / ERRATA)

    expected = (
        rf"^'{re.escape(str(root / ERRATA))}' holds '{re.escape(odd)}.*expected errata "
        r"alone, numbered from 0001 without a gap\. Restore the folder"
    )
    with pytest.raises(FileFormatError, match=expected):
        read_errata(root)


def test_errata_follow_each_other(root: Path) -> None:
    """An erratum that was replaced by another one breaks the chain of versions."""
    write_erratum(root, 1, erratum(versions(), versions(3)))

    expected = (
        r"^Erratum 0002 does not begin at the versions that erratum 0001 ended at\. "
        r"Restore '.*errata' \(git checkout\)\.$"
    )
    with pytest.raises(FileFormatError, match=expected):
        read_errata(root)


def test_an_erratum_changes_a_version(root: Path) -> None:
    """One that changes none corrects nothing."""
    write_erratum(root, 2, erratum(versions(2), versions(2)))

    with pytest.raises(FileFormatError, match=r"^Erratum 0002 changes no version\."):
        read_errata(root)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reason": ""}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "a\u202eb"}, "reason"),
        ({"reason": "a" * 401}, "reason"),
        (
            {"rows": [{"method": "m", "digest": None, "before": 2.0, "after": 0}]},
            "rows",
        ),
        ({"before": {"scores": 0, "suite": "1.0", "tasks": {}}}, "before/scores"),
        ({"more": 1}, "more"),
    ],
    ids=["empty", "two lines", "direction", "long", "skill", "version", "key"],
)
def test_a_malformed_erratum(change: dict, problem: str, root: Path) -> None:
    """What is wrong with a file is said with its place."""
    path = root / ERRATA / "0001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))

    with pytest.raises(FileFormatError, match=f"not a valid Erratum:\n  {problem}"):
        read_errata(root)


def test_described_changes() -> None:
    """Every version that changed, came or went is named, and no other."""
    after = Versions(scores=2, suite="2.0", tasks={"induction/early": 3, "other/x": 1})

    assert describe_change(versions(), after) == (
        "scores 1 to 2, suite 1.0 to 2.0, induction/early 1 to 3, induction/late 1 to "
        "none, other/x none to 1"
    )
    assert describe_change(versions(), versions()) == ""
