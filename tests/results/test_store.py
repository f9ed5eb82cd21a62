import errno
import json
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from bench.errors import FileFormatError, NoRoomError
from bench.results.store import (
    arrays_to_bytes,
    read_arrays,
    to_json,
    write_atomically,
)
from bench.tasks.digest import sha256_of_bytes
from bench.tasks.strict_json import check_strict_json


class Inner(BaseModel):
    """A record inside a record."""

    ok: bool
    note: str | None


class Record(BaseModel):
    """A record with everything that is stored."""

    name: str
    count: int
    value: float
    values: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    inner: dict[str, Inner]


RECORD = Record(
    name="gélule",
    count=3,
    value=1 / 3,
    values=(0.1 + 0.2, 1e-12, -0.0),
    rows=((1.0, 2.0), (123456789.123,)),
    inner={"b": Inner(ok=True, note=None), "a": Inner(ok=False, note='"')},
)

WRITTEN = r"""{
  "name": "g\u00e9lule",
  "count": 3,
  "value": 0.333333333,
  "values": [0.3, 1e-12, -0.0],
  "rows": [
    [1.0, 2.0],
    [123456789.0]
  ],
  "inner": {
    "b": {
      "ok": true,
      "note": null
    },
    "a": {
      "ok": false,
      "note": "\""
    }
  }
}
"""


def fail_with_full_disk(*_: object) -> None:
    """Stand in for a system call on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_writing_makes_folders_and_file(tmp_path: Path) -> None:
    """A new file appears with its folders, readable by others, and nothing else."""
    path = tmp_path / "a" / "b" / "x.json"
    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_writing_replaces(tmp_path: Path) -> None:
    """An older file is replaced as a whole."""
    path = tmp_path / "x.json"
    path.write_bytes(b"a longer old text")
    write_atomically(path, b"new")

    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("old", [b"old", None], ids=["replacing", "new"])
def test_failing_write_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, old: bytes | None
) -> None:
    """On a full disk the old content survives and no partial file stays."""
    path = tmp_path / "x.json"
    if old is not None:
        path.write_bytes(old)
    monkeypatch.setattr(os, call, fail_with_full_disk)

    expected = re.escape(
        f"'{path}' could not be written: No space left on device. Nothing was changed. "
        "Free some space or choose another folder, then run the same command again."
    )
    with pytest.raises(NoRoomError, match=f"^{expected}$"):
        write_atomically(path, b"new")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == (
        {} if old is None else {"x.json": old}
    )


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the place of a folder is reported like a full disk."""
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(NoRoomError, match=r"could not be written: File exists\."):
        write_atomically(tmp_path / "a" / "x.json", b"new")


def test_interrupted_write_leaves_no_partial_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt on the way passes through and cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "x.json", b"new")
    assert list(tmp_path.iterdir()) == []


def test_json_by_hand() -> None:
    """Field order, nine digits, and one list of plain values a line."""
    assert to_json(RECORD).decode() == WRITTEN


def test_json_is_strict() -> None:
    """What is written passes the reader for strangers' files."""
    check_strict_json(to_json(RECORD), file="x.json")


def test_json_of_empty_parts() -> None:
    """Empty lists and objects stay on their line."""
    record = RECORD.model_copy(update={"values": (), "rows": ((),), "inner": {}})
    written = to_json(record).decode()

    assert '"values": [],' in written
    assert '"inner": {}\n' in written
    assert json.loads(written)["rows"] == [[]]


@settings(deadline=None, max_examples=60)
@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    values=st.lists(st.floats(-1e6, 1e6), max_size=5),
)
def test_json_is_stable(value: float, values: list[float]) -> None:
    """Reading and writing again gives the same bytes, and numbers keep nine digits."""
    record = RECORD.model_copy(update={"value": value, "values": tuple(values)})
    written = to_json(record)
    back = Record.model_validate_json(written)

    assert to_json(back) == written
    assert back.value == pytest.approx(value, rel=1e-8, abs=0.0)
    assert back.values == pytest.approx(tuple(values), rel=1e-8, abs=0.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_json_never_holds_what_is_not_finite(bad: float) -> None:
    """NaN and infinity are an error of the caller, not a silent null."""
    for update in ({"value": bad}, {"values": (bad,)}):
        with pytest.raises(ValueError, match="Out of range float values"):
            to_json(RECORD.model_copy(update=update))


ARRAYS = {
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(10)[::3],
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 4)),
    "flags": np.array([True, False]),
}


def test_arrays_come_back(tmp_path: Path) -> None:
    """Values, shapes and types survive, whatever the memory layout."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(arrays_to_bytes(ARRAYS))
    back = read_arrays(path)

    assert set(back) == set(ARRAYS)
    for key, array in ARRAYS.items():
        assert back[key].dtype == array.dtype
        assert back[key].shape == array.shape
        np.testing.assert_array_equal(back[key], array)


def test_recorded_digest_is_checked(tmp_path: Path) -> None:
    """The right digest passes; after one altered byte the file is refused."""
    path = tmp_path / "x.safetensors"
    data = arrays_to_bytes({"a": np.ones(3)})
    digest = sha256_of_bytes(data)
    path.write_bytes(data)
    assert read_arrays(path, sha256=digest)["a"].tolist() == [1.0, 1.0, 1.0]

    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    expected = re.escape(
        f"'{path}' was altered: its SHA-256 differs from the recorded one. Restore it "
        "(git checkout) or compute it again."
    )
    with pytest.raises(FileFormatError, match=f"^{expected}$"):
        read_arrays(path, sha256=digest)


def test_missing_arrays_are_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    path = tmp_path / "none.safetensors"

    expected = re.escape(f"'{path}' cannot be read: No such file or directory.")
    with pytest.raises(FileFormatError, match=f"^{expected}$"):
        read_arrays(path)


@pytest.mark.parametrize("data", [b"", b"\x80\x04pickle", b"\xff" * 100])
def test_other_formats_are_refused(tmp_path: Path, data: bytes) -> None:
    """Empty files and other formats are no safetensors."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)

    expected = re.escape(f"'{path}' is not a safetensors file: ")
    with pytest.raises(FileFormatError, match=f"^{expected}"):
        read_arrays(path)


def test_truncated_arrays_are_refused(tmp_path: Path) -> None:
    """A file that ends early is no safetensors."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(arrays_to_bytes({"a": np.ones(30)})[:-8])

    with pytest.raises(FileFormatError, match="is not a safetensors file"):
        read_arrays(path)


def test_number_types_unknown_to_numpy_are_refused(tmp_path: Path) -> None:
    """A bfloat16 file is an answer to the user, not a crash."""
    header = b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))

    expected = re.escape(
        f"'{path}' holds numbers of type 'BF16', which cannot be read here."
    )
    with pytest.raises(FileFormatError, match=f"^{expected}$"):
        read_arrays(path)
