"""Arbitrary files, names and folders: never a crash, never anything outside read."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.cli.problem_output import github_lines, text_lines
from bench.results.trusted import Trusted
from bench.submissions.manifest import CODE, MANIFEST, README, WITHDRAWAL
from bench.submissions.problems import CODES
from bench.submissions.snapshot import take_snapshot
from bench.submissions.validation import Checked, validate_submission
from bench.tasks.strict_json import DEEPEST, find_problem
from tests.submissions.corpus.cases import ARRAYS, FIRST, SECOND, rehash

pytestmark = pytest.mark.usefixtures("few_resamples")

FUZZED = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

JSON_TEXT = st.text('[]{}",:\\ae1.0-Nulfrs \t\n', max_size=40)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["\ud800", 10**400, 1e308, -0.0, "a" * 2000])
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def depth(value: object) -> int:
    """Count levels of nesting."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


class TwiceError(ValueError):
    """Two keys are equal."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse equal keys."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise TwiceError
    return dict(pairs)


def is_strict(data: bytes) -> bool:
    """Say whether a text is strict JSON, by rules written down one by one."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=unique)
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (ValueError, RecursionError):
        return False
    numbers = [value]
    while numbers:
        one = numbers.pop()
        if isinstance(one, list):
            numbers.extend(one)
        elif isinstance(one, dict):
            numbers.extend(one.values())
        elif isinstance(one, int) and abs(one) >= 2**1024:
            return False
    return depth(value) <= DEEPEST


@settings(deadline=None, max_examples=400)
@given(
    data=st.binary(max_size=60)
    | JSON_TEXT.map(str.encode)
    | VALUES.map(lambda value: json.dumps(value).encode())
)
def test_strict_json_differs_from_json_by_its_rules_alone(data: bytes) -> None:
    """The parser accepts what json reads and the rules allow, and nothing else."""
    assert (find_problem(data) is None) == is_strict(data)


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Note every path that is opened meanwhile and is none of the folder's names."""
    here: list[str] = []
    active = [True]

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if not active[0] or event != "open":
            return
        path, _, flags = arguments
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or not (name == str(folder) or "/" not in name):
            here.append(name)

    sys.addaudithook(note)  # a hook stays for good, so it has to be told to rest
    try:
        yield here
    finally:
        active[0] = False


def checked_safely(folder: Path, trusted: Trusted) -> Checked:
    """Validate a folder that may be anything, and hold the result to what it must be.

    Code that is imported for the first time is read, and no business of a submission.
    """
    with watched(folder) as opened:
        checked = validate_submission(folder, trusted)
    outside = [name for name in opened if not name.endswith((".py", ".pyc", ".so"))]
    assert outside == []
    lines = [
        *text_lines(checked.problems, folder=folder),
        *github_lines(checked.problems, folder=folder),
    ]
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert {problem.code for problem in checked.problems} <= set(CODES)
    return checked


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder's path, without the folder."""
    return tmp_path / "fuzzed" / "my-method"


def emptied(place: Path) -> Path:
    """Make the folder, without what was in it."""
    shutil.rmtree(place.parent, ignore_errors=True)
    place.mkdir(parents=True)
    return place


OURS = (MANIFEST, README, CODE, WITHDRAWAL, FIRST, SECOND, ARRAYS)
NAMES = st.sampled_from(OURS) | st.binary(min_size=1, max_size=20).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..")
)
KINDS = st.sampled_from(["file", "file", "file", "link", "loop", "folder", "pipe"])
CONTENTS = (
    st.binary(max_size=200)
    | JSON_TEXT.map(str.encode)
    | VALUES.map(lambda value: json.dumps(value).encode())
)


def put(folder: Path, name: str | bytes, kind: str, data: bytes) -> None:
    """Put one entry of any kind into a folder, over what was there."""
    path = os.path.join(os.fsencode(folder), os.fsencode(name))  # noqa: PTH118
    if os.path.lexists(path):
        return
    if kind == "file":
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(data)
    elif kind == "folder":
        os.mkdir(path)  # noqa: PTH102
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        os.symlink(path if kind == "loop" else b"/etc/passwd", path)  # noqa: PTH211


@FUZZED
@given(entries=st.lists(st.tuples(NAMES, KINDS, CONTENTS), max_size=6))
def test_any_folder_is_answered(
    entries: list[tuple[str | bytes, str, bytes]], place: Path, trusted_once: Trusted
) -> None:
    """Whatever lies in a folder, there is an answer, and it has problems."""
    folder = emptied(place)
    for name, kind, data in entries:
        put(folder, name, kind, data)

    assert checked_safely(folder, trusted_once).problems


def spots(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places of a document."""
    found = [path] if path else []
    if isinstance(document, dict):
        parts = list(document.items())
    elif isinstance(document, list):
        parts = list(enumerate(document[:3]))
    else:
        return found
    return found + [spot for key, value in parts for spot in spots(value, (*path, key))]


@FUZZED
@given(data=st.data())
def test_a_valid_submission_with_any_value_anywhere(
    data: st.DataObject, small: Path, place: Path, trusted_once: Trusted
) -> None:
    """A document that holds any value in any place is answered; scores stay finite."""
    folder = emptied(place)
    shutil.copytree(small, folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from([MANIFEST, FIRST, SECOND]))
    document = json.loads((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(spots(document)))
        parent = document
        try:
            for part in path[:-1]:
                parent = parent[part]
            parent[path[-1]] = data.draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    (folder / name).write_text(json.dumps(document))
    if name != MANIFEST:
        rehash(folder)

    checked = checked_safely(folder, trusted_once)
    for scores in checked.scores.values():
        for profile in scores.profiles.values():
            for value in (profile.overlap.value, profile.skill.value):
                assert value is None or math.isfinite(value)


@FUZZED
@given(data=st.data())
def test_a_valid_submission_with_bytes_turned(
    data: st.DataObject, sound: Path, place: Path, trusted_once: Trusted
) -> None:
    """Bytes cut, doubled or overwritten anywhere, rightly digested, do no harm."""
    folder = emptied(place)
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    name = data.draw(st.sampled_from(OURS).filter(lambda n: (folder / n).exists()))
    old = (folder / name).read_bytes()
    start = data.draw(st.integers(0, len(old)))
    length = data.draw(st.integers(0, 20))
    new = data.draw(st.binary(max_size=20))
    (folder / name).write_bytes(old[:start] + new + old[start + length :])
    if name != MANIFEST:
        rehash(folder)

    checked_safely(folder, trusted_once)


def test_the_watch_sees_what_is_opened(tmp_path: Path) -> None:
    """A file outside, and a file written inside, would be noted."""
    (tmp_path / "x").touch()
    with watched(tmp_path / "folder") as opened:
        (tmp_path / "x").read_bytes()
        assert opened == [str(tmp_path / "x")]
    (tmp_path / "x").read_bytes()
    assert len(opened) == 1
    with watched(tmp_path) as opened:
        take_snapshot(tmp_path)
    assert opened == []
