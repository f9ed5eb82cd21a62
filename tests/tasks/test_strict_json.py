import json
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.tasks.strict_json import (
    DEEPEST,
    LARGEST_FILE,
    MOST_VALUES,
    StrictJSONError,
    check_strict_json,
    read_strict_json,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def refusal(data: bytes) -> str:
    """Check a text that must be refused and return the reason."""
    with pytest.raises(StrictJSONError, match=r"^'x\.json' is not strict JSON: ") as e:
        check_strict_json(data, file="x.json")
    return str(e.value).removeprefix("'x.json' is not strict JSON: ")


@settings(deadline=None, max_examples=150)
@given(value=VALUES, ascii_only=st.booleans())
def test_all_that_python_writes_strictly_is_accepted(
    value: object, ascii_only: bool
) -> None:
    """Any finite JSON value of moderate depth passes, escaped or as UTF-8."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=ascii_only)

    check_strict_json(text.encode(), file="x.json")
    assert json.loads(text) == value


@settings(deadline=None, max_examples=300)
@given(data=st.text('[]{}",:\\ae1.0-', max_size=12).map(str.encode) | st.binary())
def test_nothing_is_accepted_that_is_not_json(data: bytes) -> None:
    """Whatever passes is UTF-8 that Python reads, without constants of its own."""
    try:
        check_strict_json(data, file="x.json")
    except StrictJSONError:
        return
    value = json.loads(data.decode())
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1, "a": 2}',
        b'[{"b": {"a": 1, "c": 0, "a": 1}}]',
        b'{"x": [[{"\\u0061": 1, "a": 2}]]}',
    ],
    ids=["top", "nested", "escaped"],
)
def test_duplicate_keys_are_refused(data: bytes) -> None:
    """Equal keys of one object are refused at any depth and in any spelling."""
    assert refusal(data) == "the key 'a' occurs more than once."


def test_equal_keys_of_different_objects_are_fine() -> None:
    """Only keys of the same object count as duplicates."""
    check_strict_json(b'[{"a": {"a": 1}}, {"a": 2}]', file="x.json")


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_constants_are_refused(name: str) -> None:
    """The constants that Python reads beyond JSON are named and refused."""
    assert refusal(f'{{"a": [{name}]}}'.encode()) == (
        f"it holds {name}; every number must be finite."
    )


@pytest.mark.parametrize("number", ["1e999", "-1e999", "2.5E+400"])
def test_numbers_beyond_float_are_refused(number: str) -> None:
    """A number that would silently become infinite is refused."""
    assert refusal(f"[{number}]".encode()) == f"{number} is not finite."


@pytest.mark.parametrize("number", [b"1e308", b"-1e-999", b"0.1", b"-0", b"12345678"])
def test_finite_numbers_are_accepted(number: bytes) -> None:
    """Large, tiny, negative and whole numbers pass."""
    check_strict_json(b"[" + number + b"]", file="x.json")


def test_huge_integers_are_refused() -> None:
    """An integer that is no finite float is refused, however many digits it has."""
    assert refusal(b"9" * 5000) == "9" * 57 + "... is not finite."
    assert refusal(b"-1" + b"0" * 309) == "-1" + "0" * 55 + "... is not finite."


def test_integers_up_to_the_largest_float_are_accepted() -> None:
    """They are read as they are, whatever limit of digits Python is set to."""
    check_strict_json(b"1" + b"0" * 308, file="x.json")
    check_strict_json(b"-1" + b"0" * 308, file="x.json")


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"]
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """The deepest allowed nesting passes; one level more is refused."""
    for depth in (DEEPEST, DEEPEST + 1, 100_000):
        data = (opening * depth + "1" + closing * depth).encode()
        if depth == DEEPEST:
            check_strict_json(data, file="x.json")
        else:
            assert refusal(data) == f"nested deeper than {DEEPEST} levels."


def test_nesting_in_a_broken_text_is_bounded() -> None:
    """Brackets that never close are refused before a recursive reader sees them."""
    assert refusal(b"[" * 100_000) == f"nested deeper than {DEEPEST} levels."


@pytest.mark.parametrize(
    "text",
    ["[" * 50, "{" * 50, '"' + "[" * 50, "\\" + "[" * 50 + '"]', "\\\\"],
    ids=["arrays", "objects", "quote", "backslash", "only-backslashes"],
)
def test_brackets_inside_strings_do_not_count(text: str) -> None:
    """Strings may hold any number of brackets, quotes and backslashes."""
    check_strict_json(json.dumps([text, {text: 1}]).encode(), file="x.json")


def test_depth_is_counted_again_after_a_string() -> None:
    """A string that ends in a backslash does not hide what follows it."""
    data = b'["\\\\", ' + b"[" * DEEPEST + b"]" * DEEPEST + b"]"

    assert refusal(data) == f"nested deeper than {DEEPEST} levels."


def test_siblings_do_not_add_up() -> None:
    """Depth counts what is open at once."""
    check_strict_json(b"[" + b"[[]]," * 100 + b"[]]", file="x.json")


def test_other_encodings_are_refused() -> None:
    """The place of the first byte that is not UTF-8 is named."""
    assert refusal(b'["\xe9"]') == "byte 2 is not UTF-8."
    assert refusal('["a"]'.encode("utf-16")) == "byte 0 is not UTF-8."


def test_byte_order_mark_is_refused() -> None:
    """A byte order mark is not part of JSON."""
    assert "Unexpected UTF-8 BOM" in refusal(b"\xef\xbb\xbf[]")


@pytest.mark.parametrize("data", [b'["\\ud800"]', b'{"\\udc00": 1}'])
def test_lone_surrogates_are_refused(data: bytes) -> None:
    """Half a surrogate pair in a value or key cannot be written again."""
    assert refusal(data) == "a string holds half of a surrogate pair."


def test_surrogate_pairs_are_accepted() -> None:
    """A whole pair is one character."""
    check_strict_json(b'["\\ud83d\\ude00"]', file="x.json")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1, column 1: Expecting value."),
        (b"[1] 2", "line 1, column 5: Extra data."),
        (b'{"a": 1,\n b: 2}', "line 2, column 2: Expecting property name"),
        (b'["a\tb"]', "line 1, column 4: Invalid control character at."),
        (b"[01]", "line 1, column 3: Expecting ',' delimiter."),
        (b"]]", "line 1, column 1: Expecting value."),
        (b'["', "line 1, column 2: Unterminated string starting at."),
    ],
)
def test_broken_json_says_where(data: bytes, reason: str) -> None:
    """Line and column of the first mistake are named."""
    assert refusal(data).startswith(reason)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'"' + b'\\"' * 400_000, "Unterminated string"),
        (b'"' * 900_001, "Extra data"),
        (
            b"{" + b",".join(b'"%d":0' % i for i in range(40_000)) + b',"0":0}',
            "the key '0' occurs more than once",
        ),
    ],
    ids=["escaped-quotes", "quotes", "keys"],
)
def test_hostile_files_are_refused_quickly(data: bytes, reason: str) -> None:
    """No file within the size limit takes more than linear time."""
    assert len(data) <= LARGEST_FILE
    started = time.perf_counter()

    assert reason in refusal(data)
    assert time.perf_counter() - started < 10.0


def test_reading_returns_the_bytes(tmp_path: Path) -> None:
    """A good file is handed on byte by byte."""
    path = tmp_path / "x.json"
    path.write_bytes(b' {"a": [1, 2.5, null]}\n')

    assert read_strict_json(path) == b' {"a": [1, 2.5, null]}\n'


def test_reading_refuses_what_is_not_strict(tmp_path: Path) -> None:
    """The message of a bad file names the file."""
    path = tmp_path / "x.json"
    path.write_bytes(b"[NaN]")

    expected = re.escape(f"'{path}' is not strict JSON: it holds NaN;")
    with pytest.raises(StrictJSONError, match=f"^{expected}"):
        read_strict_json(path)


def test_size_is_bounded(tmp_path: Path) -> None:
    """A file at the limit is read, one byte more is refused with both numbers."""
    path = tmp_path / "x.json"
    path.write_bytes(b"1".ljust(LARGEST_FILE))
    assert len(read_strict_json(path)) == LARGEST_FILE

    path.write_bytes(b"1".ljust(LARGEST_FILE + 1))
    expected = re.escape(f"'{path}' has 1000001 bytes; the limit is 1000000.")
    with pytest.raises(StrictJSONError, match=f"^{expected}$"):
        read_strict_json(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    path = tmp_path / "none.json"

    expected = re.escape(f"'{path}' cannot be read: No such file or directory.")
    with pytest.raises(StrictJSONError, match=f"^{expected}$"):
        read_strict_json(path)


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder in the place of a file is no crash."""
    expected = re.escape(f"'{tmp_path}' is not a regular file.")
    with pytest.raises(StrictJSONError, match=f"^{expected}$"):
        read_strict_json(tmp_path)


def test_values_are_counted() -> None:
    """As many values as are allowed pass; one more is refused, of whatever kind."""
    check_strict_json(b"[" + b"0," * (MOST_VALUES - 2) + b"0]", file="x.json")

    expected = f"it holds more than {MOST_VALUES} values."
    for value in (b"0", b"[]", b"{}", b'""'):
        many = b"[" + (value + b",") * MOST_VALUES + value + b"]"
        assert refusal(many) == expected


def test_commas_of_a_text_are_no_values() -> None:
    """A text may hold any number of them, and of brackets."""
    check_strict_json(b'["' + b",[{" * MOST_VALUES + b'"]', file="x.json")


def test_messages_repeat_little_of_a_stranger() -> None:
    """Neither a long key nor a long number is repeated, nor a control character."""
    key = b'"' + b"k" * 1000 + b'"'
    expected = f"the key '{'k' * 57}...' occurs more than once."
    assert refusal(b"{" + key + b":0," + key + b":0}") == expected
    assert refusal(b"[" + b"9" * 1000 + b".0]") == "9" * 57 + "... is not finite."
    key = b'"\\u001b[2J\\n::error::"'
    expected = r"the key '\x1b[2J\n::error::' occurs more than once."
    assert refusal(b"{" + key + b":0," + key + b":0}") == expected


def test_keys_are_not_normalised() -> None:
    """Two spellings of a letter are two keys; no model has either."""
    check_strict_json('{"\u00e9": 0, "e\u0301": 0}'.encode(), file="x.json")


def test_pipe_is_refused(tmp_path: Path) -> None:
    """A pipe in the place of a file is not waited for."""
    os.mkfifo(tmp_path / "x.json")
    with pytest.raises(StrictJSONError, match=r"x\.json' is not a regular file\.$"):
        read_strict_json(tmp_path / "x.json")


def test_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    """Whoever links results or tasks on a machine of their own may do so."""
    (tmp_path / "x.json").write_bytes(b"[]")
    (tmp_path / "link.json").symlink_to(tmp_path / "x.json")

    assert read_strict_json(tmp_path / "link.json") == b"[]"
