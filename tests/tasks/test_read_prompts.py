import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import FileFormatError
from bench.tasks.prompts import Prompt, read_prompts

Rows = list[dict[str, Any]]
Write = Callable[[list[Any]], Path]


def refusal(path: Path) -> str:
    """Read a file that must be refused and return the message without its name."""
    with pytest.raises(FileFormatError, match=re.escape(f"'{path}' ")) as error:
        read_prompts(path, split="discovery")
    return str(error.value).removeprefix(f"'{path}' ")


def test_prompts_come_back(
    write_rows: Write, rows: Rows, prompts: tuple[Prompt, ...]
) -> None:
    """What was drawn and written is read as it was, split by split."""
    path = write_rows(rows)

    assert read_prompts(path, split="discovery") == prompts[:2]
    assert read_prompts(path, split="reference") == prompts[2:]


def test_reading_leaves_nothing_behind(write_rows: Write, rows: Rows) -> None:
    """No cache or lock file stays beside the prompts."""
    path = write_rows(rows)
    read_prompts(path, split="discovery")

    assert list(path.parent.iterdir()) == [path]


def test_an_edited_file_is_read_anew(write_rows: Write, rows: Rows) -> None:
    """No cache hides a change."""
    read_prompts(write_rows(rows), split="discovery")
    rows[0]["id"] = "renamed"

    assert read_prompts(write_rows(rows), split="discovery")[0].id == "renamed"


@pytest.mark.parametrize("folder", ["a[1]", "b*", "c?", "d e", "x::y"])
def test_paths_are_no_patterns(tmp_path: Path, rows: Rows, folder: str) -> None:
    """Characters that mean something in patterns may occur in a path."""
    path = tmp_path / folder / "prompts.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    assert len(read_prompts(path, split="discovery")) == 2


def test_malformed_line_is_refused(write_rows: Write, rows: Rows) -> None:
    """A line that is not JSON makes the file unreadable."""
    path = write_rows(rows)
    path.write_text(path.read_text() + "{oops\n")

    assert refusal(path) == (
        "is not usable:\n line 20 is not strict JSON: line 1, column 2: Expecting "
        "property name enclosed in double quotes."
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"1\n", " line 1:\n  (whole file): Input should be an object (found 1)"),
        (
            b"\nnull\n",
            " line 2:\n  (whole file): Input should be an object (found None)",
        ),
        (b"\xff\xfe\n", " line 1 is not strict JSON: byte 0 is not UTF-8."),
        (
            b'{"id":' + b"[" * 20_000,
            " line 1 is not strict JSON: nested deeper than 20 levels.",
        ),
        (
            b'{"id": "a", "id": "b"}',
            " line 1 is not strict JSON: the key 'id' occurs more than once.",
        ),
    ],
    ids=["number", "null", "bytes", "deep", "twice"],
)
def test_other_contents_are_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    """Lines that are no objects, or no text at all, are refused by number."""
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(content)

    assert refusal(path) == f"is not usable:\n{problem}"


def test_nothing_is_bent_to_fit(write_rows: Write, rows: Rows) -> None:
    """One text among numbers, or a list in quotes, is no prompt; the line is named."""
    rows[3]["input_ids"][3] = "5"
    rows[4]["probes"][0]["controls"] = "[[2, 12]]"

    message = refusal(write_rows(rows))
    assert re.findall(r" line (\d+):", message) == ["4", "5"]
    assert "\n  input_ids/3: Input should be a valid integer (found '5')" in message
    assert "\n  probes/0/controls: Input should be a valid " in message


def test_a_byte_order_mark_is_passed_over(write_rows: Write, rows: Rows) -> None:
    """Some editors put a mark before the first line."""
    path = write_rows(rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert len(read_prompts(path, split="discovery")) == 2


@pytest.mark.parametrize("content", ["", "\n \n"], ids=["empty", "blank"])
def test_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    """A file without a line says what is expected."""
    path = tmp_path / "prompts.jsonl"
    path.write_text(content)

    assert refusal(path) == "is empty; expected one prompt a line."


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    message = refusal(tmp_path / "none.jsonl")

    assert message == "cannot be read: No such file or directory."


def test_empty_split_is_refused(write_rows: Write, rows: Rows) -> None:
    """A file without a prompt of the split says which one."""
    assert refusal(write_rows(rows[2:])) == "holds no prompt of the split 'discovery'."


def test_missing_key_is_refused(write_rows: Write, rows: Rows) -> None:
    """The line and the key are named."""
    del rows[1]["split"]

    assert refusal(write_rows(rows)).startswith("is not usable:\n line 2:\n")
    assert "\n  split: Field required (found {" in refusal(write_rows(rows))


def test_unknown_key_is_refused(write_rows: Write, rows: Rows) -> None:
    """A key that prompts do not have is named."""
    rows[1]["weight"] = 3

    message = refusal(write_rows(rows))
    assert "\n line 2:\n  weight: Extra inputs are not permitted (found 3)" in message


def test_unknown_key_of_a_probe_is_refused(write_rows: Write, rows: Rows) -> None:
    """Keys are closed at every depth."""
    for row in rows:
        row["probes"][3]["weight"] = 3

    assert "\n  probes/3/weight: Extra inputs are not" in refusal(write_rows(rows))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("5", "valid integer (found '5')"),
        (5.0, "valid integer (found 5.0)"),
        (True, "valid integer (found True)"),
        (-1, "greater than or equal to 0 (found -1)"),
    ],
    ids=["text", "float", "truth", "negative"],
)
def test_token_ids_are_whole_numbers(
    write_rows: Write, rows: Rows, value: object, problem: str
) -> None:
    """Text, floats, truth values and negative numbers are no token ids."""
    for row in rows:
        row["input_ids"] = [value] * 17

    message = refusal(write_rows(rows))
    assert "\n line 1:\n  input_ids/0: Input should be " in message
    assert problem in message


def test_all_bad_lines_are_reported_together(write_rows: Write, rows: Rows) -> None:
    """Every line that does not fit is listed."""
    rows[0]["split"] = "train"
    rows[4]["probes"] = []

    message = refusal(write_rows(rows))
    assert re.findall(r" line (\d+):", message) == ["1", "5"]


def test_duplicated_id_is_refused(write_rows: Write, rows: Rows) -> None:
    """Ids are unique over both splits."""
    rows[5]["id"] = rows[0]["id"]

    assert refusal(write_rows(rows)) == (
        "is not usable:\n  prompt 'discovery-000': the id occurs 2 times."
    )


def test_unequal_lengths_are_refused(write_rows: Write, rows: Rows) -> None:
    """A prompt that is shorter than the first is named."""
    rows[3]["control_ids"].pop()

    assert refusal(write_rows(rows)) == (
        "is not usable:\n  prompt 'reference-001': control_ids has 16 tokens; every "
        "prompt of a task has the same number, here 17."
    )


def test_position_out_of_range_is_refused(write_rows: Write, rows: Rows) -> None:
    """A probe that points behind the prompt is named."""
    rows[0]["probes"][2]["match_site"] = 17

    assert refusal(write_rows(rows)) == (
        "is not usable:\n  prompt 'discovery-000', probe 2: a position lies outside "
        "the prompt of 17 tokens."
    )


def test_problems_of_the_other_split_count(write_rows: Write, rows: Rows) -> None:
    """The whole file is checked, whichever split is wanted."""
    rows[-1]["probes"][0]["controls"].append([2, 9])

    assert "'reference-016', probe 0: its own copy site is" in refusal(write_rows(rows))
