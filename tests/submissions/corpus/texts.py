"""Cases of texts: README, method.py and JSON that is not strict."""

import os
from pathlib import Path

from bench.submissions.manifest import CODE, MANIFEST, README
from tests.submissions.corpus.cases import (
    FIRST,
    SECOND,
    Spoil,
    case,
    put_text,
    rehash,
)

WALL = '"wall_s": 0.5'


def written(replacement: str) -> Spoil:
    """Put another text in the place of a number, behind correct digests."""

    def put(folder: Path) -> None:
        put_text(folder, WALL, replacement)

    return put


for _label, _text in {
    "nan": '"wall_s": NaN',
    "infinity": '"wall_s": Infinity',
    "minus-infinity": '"wall_s": -Infinity',
    "infinity-by-overflow": '"wall_s": 1e999',
    "infinity-of-many-digits": '"wall_s": ' + "9" * 400 + ".0",
    "integer-of-many-digits": '"wall_s": ' + "9" * 5000,
    "duplicate-key": '"wall_s": 1, "wall_s": 2',
    "duplicate-key-escaped": '"wall_s": 1, "\\u0077all_s": 2',
    "duplicate-key-of-many-letters": f'"{"k" * 5000}": 1, "{"k" * 5000}": 2',
    "duplicate-key-with-escape-sequence": '"\\u001b[2J\\n": 1, "\\u001b[2J\\n": 2',
    "nothing-for-a-value": '"wall_s": ,',
    "comment": '"wall_s": 0.5 /* half a second */',
    "trailing-comma": '"wall_s": 0.5,,',
    "single-quotes": "'wall_s': 0.5",
    "leading-zero": '"wall_s": 00.5',
    "hexadecimal": '"wall_s": 0x1',
    "deep": '"wall_s": ' + "[" * 100_000 + "]" * 100_000,
    "deep-and-open": '"wall_s": ' + '{"a":' * 100_000,
    "lone-surrogate": '"\\ud800": 0.5',
    "lone-low-surrogate": '"wall_s": "\\udc00"',
    "many-values": '"wall_s": [' + "0," * 60_000 + "0]",
    "tab-in-a-text": '"wall_s": "\t"',
}.items():
    case("S010", name=_label)(written(_text))


def attribution_of(data: bytes) -> Spoil:
    """Put other bytes in the place of an attribution, behind correct digests."""

    def put(folder: Path) -> None:
        (folder / SECOND).write_bytes(data)
        rehash(folder)

    return put


for _label, _data in {
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "utf-16": "{}".encode("utf-16"),
    "latin-1": b'{"a": "\xe9"}',
    "overlong-utf8": b'{"a": "\xc0\xaf"}',
    "null-bytes": b"\x00" * 64,
    "pickle-called-json": b"\x80\x04\x95\x00\x00\x00\x00.",
    "archive-called-json": b"PK\x03\x04",
    "two-documents": b"{}\n{}",
}.items():
    case("S010", name=_label)(attribution_of(_data))


@case("S022")
def no_readme(folder: Path) -> None:
    """Nobody says what the method does."""
    (folder / README).unlink()


@case("S010")
def empty_attribution(folder: Path) -> None:
    """A file of no bytes, behind the digest that it cannot have."""
    (folder / FIRST).write_bytes(b" ")
    rehash(folder)


@case("S010")
def broken_manifest(folder: Path) -> None:
    """The manifest ends in the middle."""
    os.truncate(folder / MANIFEST, 100)


@case("S010")
def duplicate_key_in_the_manifest(folder: Path) -> None:
    """The manifest says two things."""
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace("{", '{"bench": "0",', 1))


def saying(name: str, data: bytes) -> Spoil:
    """Write a README or a method."""

    def put(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return put


for _label, _data in {
    "binary-readme": b"\x89PNG\r\n\x1a\n",
    "readme-of-control-characters": b"# A method\n\x1b[2J\n",
    "reversed-readme": "# A \u202ereversed\u202c method\n".encode(),
    "isolated-readme": "# A \u2067method\u2069\n".encode(),
    "readme-with-direction-marks": "# A \u200fmethod\n".encode(),
    "readme-in-utf-16": "# A method\n".encode("utf-16"),
    "readme-with-bare-carriage-return": b"# A method\rhidden\n",
}.items():
    case("S012", name=_label)(saying(README, _data))

for _label, _data in {
    "reversed-code": "x = 'a\u202e' # '\n".encode(),
    "binary-code": b"\x7fELF\x00",
}.items():
    case("S012", "S023", name=_label)(saying(CODE, _data))
