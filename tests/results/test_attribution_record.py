import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from bench.errors import FileFormatError
from bench.results.attribution_record import (
    AttributionRecord,
    read_attribution,
    task_key,
)
from bench.results.store import to_json
from bench.tasks.registry import find_task

MakeRecord = Callable[..., AttributionRecord]

VALUES = [1.0, 3.0, 2.0, 2.0]


def test_reading_what_was_written(make_record: MakeRecord, tmp_path: Path) -> None:
    """A stored record is read back as it was."""
    record = make_record(VALUES, per_prompt=[VALUES, VALUES], untrained=VALUES)
    path = tmp_path / "x.json"
    path.write_bytes(to_json(record))

    assert read_attribution(path) == record
    assert to_json(read_attribution(path)) == path.read_bytes()


def test_writes_are_returned_as_they_are(make_record: MakeRecord) -> None:
    """Kind write is scored as the method gave it."""
    record = make_record(VALUES, per_prompt=[VALUES], untrained=VALUES)

    np.testing.assert_array_equal(record.raw.values, VALUES)
    np.testing.assert_array_equal(record.writes.values, VALUES)
    assert record.writes.per_prompt is not None
    np.testing.assert_array_equal(record.writes.per_prompt, [VALUES])
    assert record.untrained_writes is not None
    np.testing.assert_array_equal(record.untrained_writes.values, VALUES)


def test_states_are_differenced(make_record: MakeRecord) -> None:
    """Kind state is differenced from zero: values, per prompt, and untrained."""
    record = make_record(VALUES, kind="state", per_prompt=[VALUES], untrained=VALUES)
    differences = [1.0, 2.0, -1.0, 0.0]

    np.testing.assert_array_equal(record.raw.values, VALUES)
    np.testing.assert_array_equal(record.writes.values, differences)
    assert record.writes.per_prompt is not None
    np.testing.assert_array_equal(record.writes.per_prompt, [differences])
    assert record.untrained_writes is not None
    np.testing.assert_array_equal(record.untrained_writes.values, differences)


def test_what_is_not_there_is_none(make_record: MakeRecord) -> None:
    """A method may give neither prompts nor a null of its own."""
    record = make_record(VALUES)

    assert record.raw.per_prompt is None
    assert record.writes.per_prompt is None
    assert record.untrained_writes is None


@pytest.mark.parametrize(
    ("changes", "lengths"),
    [
        ({"untrained": [1.0]}, [1, 4]),
        ({"per_prompt": [VALUES, [1.0, 2.0]]}, [2, 4]),
        ({"per_prompt": [[1.0] * 3], "untrained": [1.0] * 5}, [3, 4, 5]),
    ],
    ids=["untrained", "per-prompt", "both"],
)
def test_all_lists_have_one_length(
    make_record: MakeRecord, changes: dict[str, object], lengths: list[int]
) -> None:
    """The lengths that were found are named."""
    expected = re.escape(
        "values, per_prompt, untrained and control need one number for each section; "
        f"found lengths {lengths}"
    )
    with pytest.raises(FileFormatError, match=expected):
        make_record(VALUES, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"values": []}, "values: Tuple should have at least 1 item"),
        ({"per_prompt": []}, "per_prompt: Tuple should have at least 1 item"),
        ({"per_prompt": [[]]}, "per_prompt/0: Tuple should have at least 1 item"),
        ({"values": [float("nan")]}, "values/0: Input should be a finite number"),
        ({"wall_s": -1.0}, "wall_s: Input should be greater than or equal to 0"),
        ({"cost_forward_equivalents": -1.0}, "cost_forward_equivalents: Input should"),
        ({"schema_version": 2}, "schema_version: Input should be 1"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_malformed_records_are_refused(
    make_record: MakeRecord, changes: dict[str, object], problem: str
) -> None:
    """Each problem is named with its place."""
    with pytest.raises(FileFormatError, match=problem):
        make_record(**({"values": VALUES} | changes))


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a|b", "<b>", "a b", "", "a" * 65])
def test_names_are_slugs(make_record: MakeRecord, name: str) -> None:
    """No name of a method can break a path, a table or a page."""
    with pytest.raises(FileFormatError, match="method/name: String should"):
        make_record(VALUES, name=name)


def test_records_do_not_change(make_record: MakeRecord) -> None:
    """What was read stays as it was read."""
    with pytest.raises(ValidationError, match="frozen"):
        make_record(VALUES).wall_s = 2.0


def test_task_key(repository: Path) -> None:
    """A key holds name, version and digest."""
    task = find_task("induction/early", root=repository)
    key = task_key(task)

    assert (key.id, key.version, key.digest) == ("induction/early", 1, task.digest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file or directory."),
        ("[NaN]", "is not strict JSON: it holds NaN;"),
        (json.dumps([]), "is not a valid AttributionRecord"),
    ],
    ids=["missing", "nan", "list"],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, text: str | None, message: str
) -> None:
    """The message names the file and what is wrong with it."""
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(FileFormatError, match=re.escape(f"'{path}' {message}")):
        read_attribution(path)
