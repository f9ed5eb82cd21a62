import json
import os
from pathlib import Path

import pytest

from bench.reproduction.replies import Expected, UnusableError, read_reply, shown
from bench.reproduction.request import ANSWERS

FOUR = Expected(sections=4, prompts=2)
GOOD = {"values": [1.0, 2.0, 3.0, 4.0]}


def place(tmp_path: Path, data: bytes) -> None:
    """Put an answer where the child does."""
    (tmp_path / ANSWERS / "000.json").write_bytes(data)


def test_an_answer_comes_back_as_it_was_written(tmp_path: Path, answers: int) -> None:
    """Values and values of each prompt are read."""
    rows = [[0.0, 2.0, 3.0, 4.0], [2.0, 2.0, 3.0, 4.0]]
    place(tmp_path, json.dumps(GOOD | {"per_prompt": rows}).encode())

    answer = read_reply(answers, 0, FOUR)

    assert answer.values == (1.0, 2.0, 3.0, 4.0)
    assert [list(row) for row in answer.per_prompt or ()] == rows


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"values": [1, NaN, 3, 4]}', "every number must be finite"),
        (b'{"values": [1, 1e999, 3, 4]}', "1e999 is not finite"),
        (b'{"values": [1, 2], "values": [1, 2, 3, 4]}', "occurs more than once"),
        (b"[" * 100_000, "nested deeper than 20 levels"),
        (b'{"values": [[1], [2], [3], [4]]}', "should be a valid number"),
        (b'{"values": [1, true, 3, 4]}', "should be a valid number"),
        (b'{"values": ["1", 2, 3, 4]}', "should be a valid number"),
        (b'{"values": [1, 2, 3]}', "has 3 values, not 4"),
        (b'{"values": []}', "at least 1 item"),
        (b'{"values": [1, 2, 3, 4], "skill": 1}', "Extra inputs"),
        (b"{}", "either values or an error"),
        (b'{"error": "no", "per_prompt": [[1]]}', "has no per_prompt"),
        (b'{"values": [1, 2], "error": "no"}', "either values or an error"),
        (b'{"values": [1, 2, 3, 4], "per_prompt": [[1, 2]]}', "as many numbers a row"),
        (b'{"values": [1, 2, 3, 4], "per_prompt": [[1, 2, 3, 4]]}', "1 prompts, not 2"),
        (
            b'{"values": [1, 2, 3, 4], "per_prompt": [[9, 2, 3, 4], [9, 2, 3, 4]]}',
            "8 off the mean",
        ),
        (b'{"error": "\\u202eno\\u001b[2J room"}', r"^no \[2J room$"),
        (b'{"error": ""}', "no reason was given"),
        (b" " * 1_000_001, "has 1000001 bytes; the limit is 1000000"),
        (b"\xff", "is not UTF-8"),
        (b"", "not strict JSON"),
    ],
)
def test_anything_else_is_no_answer(
    tmp_path: Path, answers: int, data: bytes, message: str
) -> None:
    """A stranger's file is refused with a reason that is fit to be shown."""
    place(tmp_path, data)

    with pytest.raises(UnusableError, match=message) as caught:
        read_reply(answers, 0, FOUR)

    assert str(caught.value).isprintable()


def test_a_missing_answer_is_none(answers: int) -> None:
    """A circuit that was never answered is no error of ours."""
    with pytest.raises(UnusableError, match="there is no answer"):
        read_reply(answers, 0, FOUR)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("link", "cannot be read: Too many levels of symbolic links"),
        ("pipe", "is not a regular file"),
        ("folder", "is not a regular file"),
        ("socket", "cannot be read: No such device or address"),
    ],
)
def test_only_regular_files_are_read(
    tmp_path: Path, answers: int, kind: str, message: str
) -> None:
    """Nothing is followed and nothing is waited for."""
    place(tmp_path, json.dumps(GOOD).encode())
    path = tmp_path / ANSWERS / "000.json"
    target = path.rename(tmp_path / "elsewhere.json")
    if kind == "link":
        path.symlink_to(target)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mknod(path, 0o140600)

    with pytest.raises(UnusableError, match=message):
        read_reply(answers, 0, FOUR)


def test_the_folder_is_the_one_that_was_opened(tmp_path: Path, answers: int) -> None:
    """Putting another folder in its place changes nothing."""
    folder = tmp_path / ANSWERS
    folder.rename(tmp_path / "old")
    folder.mkdir()
    place(tmp_path, json.dumps(GOOD).encode())

    with pytest.raises(UnusableError, match="there is no answer"):
        read_reply(answers, 0, FOUR)


def test_long_text_is_cut() -> None:
    """A method cannot fill the record with its message."""
    assert len(shown("x" * 1000)) == 300
