import re
from pathlib import Path

import pytest

from bench.errors import DigestError, FileFormatError
from bench.tasks.digest import (
    sha256_of_bytes,
    sha256_of_file,
    sha256_of_record,
    verify_files,
)

# of the text "abc", from the standard's own examples
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_digest_of_the_standard_example(tmp_path: Path) -> None:
    """Bytes and files have the SHA-256 of FIPS 180-4."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")

    assert sha256_of_bytes(b"abc") == ABC
    assert sha256_of_file(path) == ABC


def test_digest_of_a_missing_file(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    path = tmp_path / "none"

    expected = re.escape(f"'{path}' cannot be read: No such file or directory.")
    with pytest.raises(FileFormatError, match=f"^{expected}$"):
        sha256_of_file(path)


def test_digest_of_a_record_is_that_of_its_canonical_json() -> None:
    """Keys are sorted and there are no spaces, so the order of keys is nothing."""
    expected = sha256_of_bytes(b'{"a":[1,2.5],"b":null}')

    assert sha256_of_record({"b": None, "a": [1, 2.5]}) == expected
    assert sha256_of_record({"a": (1, 2.5), "b": None}) == expected


def test_digest_of_a_record_tells_values_apart() -> None:
    """Another value, another key, another order of a list: another digest."""
    records: list[object] = [
        {"a": 1},
        {"a": 2},
        {"b": 1},
        {"a": "1"},
        [1, 2],
        [2, 1],
        {"a": None},
        {},
    ]

    assert len({sha256_of_record(record) for record in records}) == len(records)


def test_record_that_is_not_finite_has_no_digest() -> None:
    """NaN is no JSON."""
    with pytest.raises(ValueError, match="Out of range float values"):
        sha256_of_record({"a": float("nan")})


def test_untouched_files_pass(tmp_path: Path) -> None:
    """Files that match say nothing; those without a digest are not looked at."""
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "y").write_bytes(b"anything")

    verify_files(tmp_path, {"x": ABC}, next_step="Do something.")
    verify_files(tmp_path / "none", {}, next_step="Do something.")


def test_all_differing_files_are_listed(tmp_path: Path) -> None:
    """Missing and altered files are reported together, in order, with advice."""
    (tmp_path / "b").write_bytes(b"abd")
    (tmp_path / "c").write_bytes(b"abc")
    found = sha256_of_bytes(b"abd")
    expected = (
        "Files differ from what the task records:\n"
        f"  '{tmp_path / 'a'}' is missing.\n"
        f"  '{tmp_path / 'b'}' was altered: its SHA-256 is {found[:12]}..., "
        "recorded is ba7816bf8f01...\n"
        "Do something."
    )

    with pytest.raises(DigestError, match=f"^{re.escape(expected)}$"):
        verify_files(
            tmp_path, {"c": ABC, "b": ABC, "a": ABC}, next_step="Do something."
        )


def test_folder_in_the_place_of_a_file_is_missing(tmp_path: Path) -> None:
    """A folder is no file."""
    (tmp_path / "x").mkdir()

    with pytest.raises(DigestError, match=r"'\S+x' is missing\."):
        verify_files(tmp_path, {"x": ABC}, next_step="Do something.")
