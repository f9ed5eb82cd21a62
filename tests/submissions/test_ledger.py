import hashlib
import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import FileFormatError
from bench.submissions.ledger import (
    FIRST,
    LONGEST_LINE,
    LONGEST_REASON,
    Event,
    EventName,
    LedgerLine,
    check_prefix,
    extend,
    parse_ledger,
    plain_reason,
    read_ledger,
    write_ledger,
)

A, B = "a" * 64, "b" * 64
COMMIT = "c" * 40
FILE = Path("ledger.jsonl")


def event(
    name: str = "mine",
    kind: EventName = "added",
    digest: str = A,
    reason: str = "Suite core 1.0.",
) -> Event:
    """Make an event."""
    return Event(event=kind, method=name, digest=digest, reason=reason)


@pytest.fixture
def lines() -> tuple[LedgerLine, ...]:
    """A ledger of three lines, written on two days."""
    two = extend((), [event(), event("yours")], day="2026-01-02", commit=COMMIT)
    return extend(
        two, [event(kind="replaced", digest=B)], day="2026-01-03", commit=COMMIT
    )


@pytest.fixture
def data(lines: tuple[LedgerLine, ...]) -> bytes:
    """The bytes of this ledger."""
    return b"".join(line.text.encode() + b"\n" for line in lines)


def test_what_is_written_is_read(
    lines: tuple[LedgerLine, ...], data: bytes, tmp_path: Path
) -> None:
    """A ledger is read as it was written, and written as one JSON object a line."""
    path = tmp_path / "records" / "ledger.jsonl"
    assert read_ledger(path) == ()
    write_ledger(path, lines)

    assert path.read_bytes() == data
    assert read_ledger(path) == lines
    first = json.loads(data.splitlines()[0])
    assert first == {
        "schema_version": 1,
        "previous": FIRST,
        "date": "2026-01-02",
        "event": "added",
        "method": "mine",
        "digest": A,
        "commit": COMMIT,
        "reason": "Suite core 1.0.",
    }


def test_the_chain_by_hand(data: bytes) -> None:
    """Each line has the SHA-256 of the bytes of the line before, without its end."""
    texts = data.splitlines()
    for before, text in itertools.pairwise(texts):
        expected = hashlib.sha256(before).hexdigest()
        assert json.loads(text)["previous"] == expected


def test_adding_keeps_what_was_there(lines: tuple[LedgerLine, ...]) -> None:
    """More events leave every earlier line as it is; none add nothing."""
    longer = extend(lines, [event("third")], day="2026-01-03", commit=COMMIT)

    assert longer[:3] == lines
    assert longer[3].previous == lines[2].digest_of_line
    assert extend(lines, [], day="2026-01-03", commit=COMMIT) == lines


def refusal(data: bytes) -> str:
    """Return why a ledger is refused."""
    with pytest.raises(FileFormatError) as caught:
        parse_ledger(data, file=FILE)
    return str(caught.value)


MENDED = (
    " The ledger is only ever added to, with: bench ledger update. Restore it (git "
    "checkout)."
)
MOVED = r"follows a line of SHA-256 \w{12}\.\.\., and the line before it has \w{12}"


@pytest.mark.parametrize(
    ("order", "number"),
    [([1, 0, 2], 1), ([0, 2, 1], 2), ([1, 2], 1), ([0, 2], 2), ([0, 0, 1, 2], 2)],
    ids=["first swapped", "last swapped", "first cut", "middle cut", "repeated"],
)
def test_moved_lines(order: list[int], number: int, data: bytes) -> None:
    """Lines in another order, or with one missing or twice, break the chain."""
    texts = data.splitlines(keepends=True)
    message = refusal(b"".join(texts[index] for index in order))

    assert re.match(rf"Line {number} of 'ledger\.jsonl' {MOVED}", message)
    assert message.endswith(f"lines were changed, removed or moved.{MENDED}")


@pytest.mark.parametrize("number", [1, 2])
def test_an_edited_line(number: int, data: bytes) -> None:
    """A changed reason shows at the line after it."""
    texts = data.splitlines(keepends=True)
    texts[number - 1] = texts[number - 1].replace(b"Suite core", b"Suite cora")

    message = refusal(b"".join(texts))
    assert re.match(rf"Line {number + 1} of 'ledger\.jsonl' {MOVED}", message)


@given(st.data())
def test_any_changed_byte_before_the_last_line_is_found(choice: st.DataObject) -> None:
    """No byte of a line that another one follows can change, vanish or be added."""
    made = extend((), [event(), event("b"), event("c")], day="2026-01-02", commit=A)
    data = b"".join(line.text.encode() + b"\n" for line in made)
    covered = len(data) - len(made[-1].text) - 1
    place = choice.draw(st.integers(0, covered - 1))
    byte = bytes([choice.draw(st.integers(0, 255))])
    kept = choice.draw(st.sampled_from([place, place + 1]))
    changed = data[:place] + choice.draw(st.sampled_from([b"", byte])) + data[kept:]
    if changed != data:
        refusal(changed)


def test_a_forged_chain_needs_the_older_copy(
    lines: tuple[LedgerLine, ...], data: bytes
) -> None:
    """Whoever writes all lines anew passes alone, and not beside an older copy."""
    forged = extend((), [event(reason="Other.")], day="2026-01-02", commit=COMMIT)
    rest = [event("yours"), event(kind="replaced", digest=B)]
    forged = extend(forged, rest, day="2026-01-03", commit=COMMIT)
    text = "".join(line.text + "\n" for line in forged).encode()
    assert parse_ledger(text, file=FILE) == forged

    with pytest.raises(FileFormatError) as caught:
        check_prefix(forged, parse_ledger(data, file=FILE), file=FILE)
    assert str(caught.value) == (
        "Line 1 of the older ledger 'ledger.jsonl' (added mine, 2026-01-02) is another "
        "one. The ledger is only ever added to: restore it (git checkout), then run: "
        "bench ledger update"
    )


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_shorter_ledger(kept: int, lines: tuple[LedgerLine, ...]) -> None:
    """A ledger that was cut after a line is sound alone, and not beside a copy."""
    check_prefix(lines, lines[:kept], file=FILE)
    check_prefix(lines, lines, file=FILE)

    pattern = rf"^Line {kept + 1} of the older ledger .* is missing\."
    with pytest.raises(FileFormatError, match=pattern):
        check_prefix(lines[:kept], lines, file=FILE)


def test_a_cut_line(data: bytes) -> None:
    """A file that ends inside a line, or without its line feed, is refused."""
    for cut in (1, 20):
        expected = "Line 3 of 'ledger.jsonl' has no end: the file was cut off."
        assert refusal(data[:-cut]) == expected + MENDED


FORM = "is not as bench writes it: sorted keys once each, no spaces, ASCII, and a line"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: d.replace(b"\n", b"\r\n"), FORM),
        (lambda d: d.replace(b'":', b'": ', 1), FORM),
        (lambda d: d.replace(b"mine", b"m\\u0069ne", 1), FORM),
        (lambda d: d.replace(b"Suite", "Süite".encode(), 1), FORM),
        (lambda d: b" " + d, FORM),
        (lambda d: b"\xef\xbb\xbf" + d, "line 1' is not strict JSON: "),
        (lambda d: b"\n" + d, "line 1' is not strict JSON: line 1, column 1"),
        (
            lambda d: d.replace(b'"date"', b'"date":"2026-01-01","date"', 1),
            "line 1' is not strict JSON: the key 'date' occurs more than once.",
        ),
        (lambda d: d.replace(b"mine", b"Mine", 1), "not a valid LedgerLine:\n  method"),
        (lambda d: d.replace(b"added", b"edited", 1), "LedgerLine:\n  event"),
        (
            lambda d: d.replace(b"ledger", b"x").replace(COMMIT.encode(), b"HEAD"),
            "mmit",
        ),
        (lambda d: d.replace(b"2026-01-02", b"2026-02-30"), "LedgerLine:\n  date"),
        (lambda d: d.replace(b"2026-01-02", b"02.01.2026"), "LedgerLine:\n  date"),
        (lambda d: d.replace(b'_version":1', b'_version":true'), "schema_version"),
        (lambda d: d.replace(b"Suite", b"\\u202eSuite", 1), "LedgerLine:\n  reason"),
        (lambda d: d.replace(b"Suite", b"\\ud800Suite", 1), "half of a surrogate pair"),
        (lambda d: d.replace(b"{", b'{"a":[' + b"[" * 30, 1), "deeper than 20 levels"),
    ],
)
def test_lines_that_are_not_as_bench_writes_them(
    change: Callable[[bytes], bytes], expected: str, data: bytes
) -> None:
    """Another form of the same content is refused like another content."""
    changed = change(data)

    assert changed != data
    assert expected in refusal(changed)


def test_a_long_line(data: bytes) -> None:
    """A line is measured before it is read."""
    long = b"[" * (LONGEST_LINE + 1) + b"\n"

    expected = "Line 1 of 'ledger.jsonl' has 10001 bytes; the limit is 10000."
    assert refusal(long + data) == expected + MENDED


def test_time_does_not_go_back(lines: tuple[LedgerLine, ...]) -> None:
    """No line is older than the line before it."""
    back = extend(lines, [event("third")], day="2026-01-02", commit=COMMIT)
    text = "".join(line.text + "\n" for line in back).encode()

    expected = (
        "Line 4 of 'ledger.jsonl' is of 2026-01-02, and the line before it of "
        "2026-01-03."
    )
    assert refusal(text) == expected + MENDED


def test_a_ledger_that_cannot_be_read(tmp_path: Path) -> None:
    """What is there and is no file is said so."""
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        read_ledger(tmp_path)


@given(st.text(alphabet=st.characters(), max_size=2 * LONGEST_REASON))
def test_any_text_can_be_a_reason(text: str) -> None:
    """Whatever somebody wrote becomes one line that the ledger takes and gives back."""
    reason = plain_reason(text) or "none"
    made = extend((), [event(reason=reason)], day="2026-01-02", commit=COMMIT)
    data = made[0].text.encode() + b"\n"

    assert parse_ledger(data, file=FILE) == made
    assert plain_reason(reason) == reason


def test_plain_reason_by_hand() -> None:
    """Breaks become spaces, what turns text around a question mark, long ones end."""
    assert plain_reason(" a\r\n\tb\u2028c \x1b[1m") == "a b c [1m"
    assert plain_reason("a\u202eb\ud800") == "a?b?"
    long = plain_reason("é" * (LONGEST_REASON + 1))
    assert long == "é" * (LONGEST_REASON - 3) + "..."
