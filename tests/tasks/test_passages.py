"""Passages come from lines or from the column ``text`` of a table."""

import json
import re
import sys
from pathlib import Path

import pytest

from bench.errors import FileFormatError, MissingExtraError
from bench.tasks.passages import read_passages

datasets = pytest.importorskip("datasets")

PASSAGES = ["one two", "three, four", "fünf\u2028sechs"]


@pytest.fixture
def write(tmp_path: Path):
    """Write the passages in one of the formats."""

    def make(suffix: str) -> Path:
        path = tmp_path / f"a[1]{suffix}"
        if suffix == ".jsonl":
            rows = (json.dumps({"n": 1, "text": text}) for text in PASSAGES)
            path.write_text("".join(row + "\n" for row in rows))
        elif suffix in (".csv", ".parquet"):
            table = datasets.Dataset.from_dict({"n": [1, 2, 3], "text": PASSAGES})
            (table.to_csv if suffix == ".csv" else table.to_parquet)(str(path))
        else:
            path.write_text("\n".join(PASSAGES), encoding="utf-8")
        return path

    return make


@pytest.mark.parametrize("suffix", [".txt", "", ".jsonl", ".csv", ".parquet"])
def test_every_format(write, suffix: str) -> None:
    """Each format gives the same passages, and nothing is left beside the file."""
    path = write(suffix)

    assert read_passages(path) == PASSAGES
    assert list(path.parent.iterdir()) == [path]


def test_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    """What editors add is no passage and no part of one."""
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffone\n\n  \r\ntwo\r\n".encode())

    assert read_passages(path) == ["one", "two"]


def test_bars_are_as_before(write) -> None:
    """Reading draws nothing and leaves the settings of datasets alone."""
    before = datasets.logging.get_verbosity()
    read_passages(write(".txt"))

    assert not datasets.are_progress_bars_disabled()
    assert datasets.logging.get_verbosity() == before


def refuse(path: Path, problem: str) -> None:
    """Check that a file is refused with its name."""
    with pytest.raises(FileFormatError, match=f"^'{re.escape(str(path))}'{problem}"):
        read_passages(path)


def test_a_table_without_texts(tmp_path: Path) -> None:
    """A table needs the column, and text in it."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1, "body": "x"}\n')
    refuse(path, r" has no column 'text'; found n, body\.$")

    path.write_text('{"text": 1}\n')
    refuse(path, r": row 1 has no text in 'text'\.$")


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b"{oops"), ("a.parquet", b"no table"), ("a.txt", b"\xff\xfe\xfa")],
)
def test_malformed_files(
    name: str, content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not what its ending says is refused, in one message."""
    path = tmp_path / name
    path.write_bytes(content)

    refuse(path, " cannot be read: .")
    assert capsys.readouterr() == ("", "")


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there, and a folder, are refused."""
    refuse(tmp_path / "none.txt", r" cannot be read: there is no such file\.$")
    refuse(tmp_path, r" cannot be read: there is no such file\.$")


def test_without_datasets(monkeypatch: pytest.MonkeyPatch, write) -> None:
    """Where datasets is not installed the message says how to get it."""
    path = write(".txt")
    monkeypatch.setitem(sys.modules, "datasets", None)

    expected = re.escape("pip install 'induction-bench[run]'")
    with pytest.raises(MissingExtraError, match=f"'datasets' is not .*{expected}"):
        read_passages(path)
