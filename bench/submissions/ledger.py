"""The ledger: what happened to submissions, one line an event, never edited.

``records/ledger.jsonl`` holds canonical JSON, one object a line. Each line has the
SHA-256 of the line before it, so that a line that was changed, removed or moved shows.
Whoever rewrites all lines after it can hide that from the file alone; an older copy,
such as the one on the branch that a change is to be merged into, tells.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bench.errors import FileFormatError
from bench.results.store import write_atomically
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.one_line import shortened
from bench.tasks.spec import TEXT, Digest, Slug
from bench.tasks.strict_json import check_strict_json

LEDGER = Path("records/ledger.jsonl")
FIRST = "0" * 64
"""What the first line has for the line before it."""
LONGEST_REASON = 500
LONGEST_LINE = 10_000
"""Bytes; a reason of other alphabets is written with six bytes a character."""

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN = re.compile(r"(?![\ud800-\udfff])" + TEXT)

EventName = Literal[
    "added",
    "replaced",
    "reproduced",
    "refused",
    "flagged",
    "cleared",
    "rescored",
    "withdrawn",
]


def _is_a_day(text: str) -> str:
    """Refuse days that no calendar has."""
    date.fromisoformat(text)
    return text


Day = Annotated[
    str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_is_a_day)
]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""A git commit, of either kind of repository."""


class Event(FrozenModel):
    """What happened to one submission."""

    event: EventName
    method: Slug
    digest: Digest
    """The manifest's: which state of the submission."""
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=TEXT)]


class LedgerLine(Event):
    """A line of the ledger."""

    schema_version: SchemaVersion = 1
    previous: Digest
    """SHA-256 of the line before, without its line break."""
    date: Day
    """UTC."""
    commit: Commit
    """Where the repository was when the event was recorded."""

    @property
    def text(self) -> str:
        """The line as it is stored: canonical JSON in ASCII, without a line break."""
        fields = self.model_dump(mode="json")
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @property
    def digest_of_line(self) -> str:
        """What the next line has for its ``previous``."""
        return sha256_of_bytes(self.text.encode())


def plain_reason(text: str) -> str:
    """Make one printable line of a text that somebody else may have written."""
    words = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())
    shown = "".join(c if re.match(TEXT, c) and _is_whole(c) else "?" for c in words)
    return shortened(shown, LONGEST_REASON)


def _is_whole(character: str) -> bool:
    """Say whether a character is none of half a surrogate pair."""
    return not "\ud800" <= character <= "\udfff"


def read_ledger(path: Path) -> tuple[LedgerLine, ...]:
    """Read a ledger and check its chain; one that is not there yet has no lines.

    Raises:
        FileFormatError: The file cannot be read, a line is not as ``bench`` writes it,
            or does not follow the line before it.
    """
    if not path.exists():
        return ()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {error.strerror}.") from None
    return parse_ledger(data, file=path)


def parse_ledger(data: bytes, *, file: Path | str) -> tuple[LedgerLine, ...]:
    """Read the bytes of a ledger; see :func:`read_ledger`."""
    *texts, rest = data.split(b"\n")
    if rest:
        raise _broken(file, len(texts) + 1, "has no end: the file was cut off.")
    lines: list[LedgerLine] = []
    for number, text in enumerate(texts, start=1):
        line = _parse_line(text, number, file)
        _check_order(lines, line, file)
        lines.append(line)
    return tuple(lines)


def _parse_line(text: bytes, number: int, file: Path | str) -> LedgerLine:
    if len(text) > LONGEST_LINE:
        found = f"has {len(text)} bytes; the limit is {LONGEST_LINE}."
        raise _broken(file, number, found)
    check_strict_json(text, file=f"{file}, line {number}")
    line = LedgerLine.parse(text, file=f"{file}, line {number}")
    if line.text.encode() != text:
        found = (
            "is not as bench writes it: sorted keys once each, no spaces, ASCII, and a "
            "line feed alone at the end."
        )
        raise _broken(file, number, found)
    return line


def _check_order(before: Sequence[LedgerLine], line: LedgerLine, file: object) -> None:
    number = len(before) + 1
    expected = before[-1].digest_of_line if before else FIRST
    if line.previous != expected:
        found = (
            f"follows a line of SHA-256 {line.previous[:12]}..., and the line before "
            f"it has {expected[:12]}...: lines were changed, removed or moved."
        )
        raise _broken(file, number, found)
    if before and line.date < before[-1].date:
        found = f"is of {line.date}, and the line before it of {before[-1].date}."
        raise _broken(file, number, found)


def _broken(file: object, number: int, found: str) -> FileFormatError:
    return FileFormatError(
        f"Line {number} of '{file}' {found} The ledger is only ever added to, with: "
        "bench ledger update. Restore it (git checkout)."
    )


def extend(
    lines: Sequence[LedgerLine], events: Iterable[Event], *, day: str, commit: str
) -> tuple[LedgerLine, ...]:
    """Add events to the lines of a ledger."""
    extended = list(lines)
    for event in events:
        line = LedgerLine(
            **event.model_dump(),
            previous=extended[-1].digest_of_line if extended else FIRST,
            date=day,
            commit=commit,
        )
        extended.append(line)
    return tuple(extended)


def write_ledger(path: Path, lines: Iterable[LedgerLine]) -> None:
    """Write a ledger whole or not at all.

    Raises:
        NoRoomError: The file could not be written; the old one is untouched.
    """
    write_atomically(path, "".join(line.text + "\n" for line in lines).encode())


def check_prefix(
    lines: Sequence[LedgerLine], older: Sequence[LedgerLine], *, file: Path
) -> None:
    """Check that a ledger only grew since an older copy of it was made.

    Args:
        lines: The ledger.
        older: The lines of the older copy.
        file: The older copy, for the message.

    Raises:
        FileFormatError: A line of the older copy is missing or another one.
    """
    for number, line in enumerate(older, start=1):
        now = lines[number - 1] if number <= len(lines) else None
        if line != now:
            found = "is missing" if now is None else "is another one"
            raise FileFormatError(
                f"Line {number} of the older ledger '{file}' ({line.event} "
                f"{line.method}, {line.date}) {found}. The ledger is only ever added "
                "to: restore it (git checkout), then run: bench ledger update"
            )
