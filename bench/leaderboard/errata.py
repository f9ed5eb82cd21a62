"""Whether a new leaderboard may replace the one that is there, and as what.

What counts is what was shown: numbers are compared as they are printed, of rows that
are the same submission. Under the same versions the same submission has the same
numbers; under others a correction says why.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import FileFormatError, UserError
from bench.leaderboard.document import Board
from bench.leaderboard.sheet import SCORES
from bench.results.erratum_record import (
    LONGEST_REASON,
    Erratum,
    ErratumRow,
    Versions,
    describe_change,
)
from bench.tasks.one_line import check_reason

MEAN = "mean skill"
NAMED = 3
"""Changed numbers that a message shows."""

Number = float | None


@dataclass(frozen=True)
class PrintedRow:
    """The numbers of a row, as they are printed."""

    digest: str | None
    numbers: Mapping[str, Number]


@dataclass(frozen=True)
class Printed:
    """The numbers of a leaderboard, as they are printed."""

    versions: Versions
    rows: Mapping[str, PrintedRow]


def read_printed(path: Path) -> Printed | None:
    """Read the leaderboard that is there.

    Returns:
        None if there is none, or one of before versions were written into it.

    Raises:
        FileFormatError: It is none that ``bench`` wrote.
    """
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_bytes())
        return None if document.get("versions") is None else printed(document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise FileFormatError(
            f"'{path}' cannot be read as a leaderboard, and the new one is compared "
            f"with it. Restore it: git checkout HEAD -- {path.name}"
        ) from None


def printed(document: Any) -> Printed:
    """Take the numbers of a leaderboard's JSON document."""
    rows = {
        row["method"]: PrintedRow(row.get("digest"), dict(_numbers(row)))
        for row in document["rows"]
    }
    return Printed(Versions.model_validate(document["versions"]), rows)


def _numbers(row: Any) -> Iterator[tuple[str, Number]]:
    yield MEAN, _skill(row["mean_skill"])
    for profile, mean in row["profiles"].items():
        yield f"{MEAN}, {profile}", mean["skill"]
    for task, found in row["tasks"].items():
        for profile, scores in found["profiles"].items():
            for score in SCORES:
                yield f"{score} on {task}, {profile}", scores[score]


def _skill(value: Any) -> Number:
    if value is not None and not -1.0 <= value <= 1.0:
        raise ValueError("no skill")
    return value


def find_erratum(
    before: Printed | None,
    board: Board,
    errata: Sequence[Erratum],
    *,
    reason: str | None = None,
) -> Erratum | None:
    """Return the erratum that a new leaderboard needs; None if it needs none.

    Args:
        before: The leaderboard that is there.
        board: The new one.
        errata: What was corrected before.
        reason: Why versions changed.

    Raises:
        UserError: Versions changed and there is no reason, or the other way round; or
            numbers changed and versions did not.
    """
    after = printed(json.loads(board.model_dump_json()))
    start = _start(before, errata)
    if start is None or start == after.versions:
        _refuse_reason(reason)
        if before is not None and before.versions == after.versions:
            _check_same_numbers(before, after)
        return None
    change = describe_change(start, after.versions)
    if reason is None:
        raise UserError(
            f"Versions changed since the leaderboard was written ({change}). Say what "
            "was corrected: bench leaderboard --erratum REASON"
        )
    check_reason(reason, what="The reason of the erratum", longest=LONGEST_REASON)
    rows = () if before is None else tuple(_moved(before, after))
    return Erratum(reason=reason, before=start, after=after.versions, rows=rows)


def _start(before: Printed | None, errata: Sequence[Erratum]) -> Versions | None:
    """Return the versions that the last erratum, or else the board, left behind.

    An erratum is written before its board; where only it was, it counts already.
    """
    if errata:
        return errata[-1].after
    return None if before is None else before.versions


def _refuse_reason(reason: str | None) -> None:
    if reason is not None:
        raise UserError(
            "There is nothing that an erratum could be about: the versions of scores, "
            "suite and tasks are those of the leaderboard that is there. Raise "
            "SCORES_VERSION or the version of the task first, or leave --erratum out."
        )


def _check_same_numbers(before: Printed, after: Printed) -> None:
    found = [
        f"{name}: {number} was {_shown(old)}, is {_shown(new)}"
        for name, old_row, new_row in _comparable(before, after)
        for number, old, new in _changes(old_row, new_row)
    ]
    if found:
        rest = len(found) - NAMED
        more = f" and {rest} more" if rest > 0 else ""
        raise UserError(
            "Numbers changed under the same versions:\n"
            + "\n".join(f"  {line}" for line in found[:NAMED])
            + f"{more}\nIf a scorer changed, raise SCORES_VERSION; if a reference did, "
            "give its task a new version that lists the [[earlier]] one. Then run: "
            "bench leaderboard --erratum REASON"
        )


def _shown(number: Number) -> str:
    return "undefined" if number is None else f"{number}"


def _comparable(
    before: Printed, after: Printed
) -> Iterator[tuple[str, PrintedRow, PrintedRow]]:
    """Go through the rows that are one submission in both, in the new order."""
    for name, row in after.rows.items():
        old = before.rows.get(name)
        if old is not None and old.digest == row.digest:
            yield name, old, row


def _changes(old: PrintedRow, new: PrintedRow) -> Iterator[tuple[str, Number, Number]]:
    """Compare what both rows have: a new score or task is no changed one."""
    for name, number in new.numbers.items():
        if name in old.numbers and old.numbers[name] != number:
            yield name, old.numbers[name], number


def _moved(before: Printed, after: Printed) -> Iterator[ErratumRow]:
    for name, old, new in _comparable(before, after):
        if any(True for _ in _changes(old, new)):
            yield ErratumRow(
                method=name,
                digest=new.digest,
                before=old.numbers[MEAN],
                after=new.numbers[MEAN],
            )


def check_errata(board: Board, errata: Sequence[Erratum]) -> None:
    """Check that the last erratum ends at the versions that the board has.

    Raises:
        FileFormatError: Versions changed after it.
    """
    if errata and errata[-1].after != board.versions:
        change = describe_change(errata[-1].after, board.versions)
        raise FileFormatError(
            f"Versions changed after the last erratum ({change}). Say what was "
            "corrected: bench leaderboard --erratum REASON"
        )
