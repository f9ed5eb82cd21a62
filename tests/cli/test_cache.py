import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.cache.cache import Cache, default_folder
from bench.cache.entry import make_entry
from tests.cache.test_cache import KEY, PROVENANCE, TASK

Bench = Callable[..., Any]


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """A cache belongs to no repository."""
    return partial(bench, root=False)


@pytest.fixture
def cache() -> Cache:
    """Three entries: two of one task, one of another that is twenty days old."""
    found = Cache(default_folder())
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(20)
    other = TASK.model_copy(update={"id": "induction/b"})
    now = {"finished": datetime.now(UTC).replace(microsecond=0).isoformat()}
    recent = PROVENANCE.model_copy(update=now)
    aged = PROVENANCE.model_copy(update={"finished": old.isoformat()})
    for what, task, made in (
        ("attribution", TASK, recent),
        ("untrained", TASK, recent),
        ("attribution", other, aged),
    ):
        key = KEY.model_copy(update={"what": what, "task": task})
        found.add(make_entry(key, b"abc", wall_s=2.5, provenance=made))
    return found


def left(cache: Cache) -> list[tuple[str, str]]:
    """Return part and task of what is in the cache."""
    found = [stored.entry for stored in cache.stored()]
    return sorted((e.key.what, e.key.task.id) for e in found if e is not None)


def spoil(cache: Cache) -> Path:
    """Spoil an entry, and return its file."""
    path = next(iter(cache.stored())).path
    path.write_bytes(path.read_bytes()[:-1])
    return path


@pytest.mark.usefixtures("cache")
def test_ls(bench: Bench) -> None:
    """Every entry is a line; JSON says where the files are."""
    ran = bench("cache", "ls")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[2][:2] == ["attribution", "induction/a"]
    assert lines[3][:2] == ["untrained", "induction/a"]
    assert lines[4][:2] == ["attribution", "induction/b"]
    assert ran.out.splitlines()[-1].startswith("3 entries, 0.0 MB in ")

    rows = json.loads(bench("cache", "ls", "--json").out)
    assert [row["seconds"] for row in rows] == ["2.5"] * 3
    assert all(Path(row["file"]).is_file() for row in rows)


def test_ls_of_nothing(bench: Bench, tmp_path: Path) -> None:
    """A cache that is not there is empty."""
    ran = bench("cache", "ls", "--cache", tmp_path / "none")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == f"0 entries, 0.0 MB in {tmp_path / 'none'}"


def test_verify(bench: Bench, cache: Cache) -> None:
    """Sound entries are counted; a spoilt one is named."""
    ran = bench("cache", "verify")
    assert (ran.code, ran.out[:33]) == (0, "3 entries in " + str(cache.folder)[:20])
    path = spoil(cache)

    ran = bench("cache", "verify")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("1 of 3 entries are spoilt. Clear them with: bench cache")
    assert str(path) in ran.err
    assert "bench cache prune --write\n" in ran.err
    ran = bench("cache", "verify", "--cache", cache.folder)
    assert f"bench cache prune --write --cache {cache.folder}\n" in ran.err
    assert "spoilt" in bench("cache", "ls").out


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], 3),
        (["--older-than", "10"], 2),
        (["--older-than", "30"], 3),
        (["--task", "induction/a"], 1),
        (["--task", "induction/a", "--older-than", "10"], 3),
        (["--method", "gim"], 3),
        (["--all"], 0),
    ],
)
def test_prune(bench: Bench, cache: Cache, options: list[str], kept: int) -> None:
    """What all options fit goes, and only with --write."""
    shown = bench("cache", "prune", *options)
    assert len(left(cache)) == 3
    assert shown.out.endswith("Do it with --write.\n")
    assert shown.out.startswith(f"{3 - kept} entries, 0.0 MB, and 0 unfinished files")

    done = bench("cache", "prune", *options, "--write")
    assert len(left(cache)) == kept
    assert done.out.startswith(f"{3 - kept} entries")


def test_prune_clears_what_is_of_no_use(bench: Bench, cache: Cache) -> None:
    """Spoilt entries and unfinished files always go."""
    path = spoil(cache)
    abandoned, written = (path.with_name(f"{name}.partial") for name in "ab")
    abandoned.touch()
    written.touch()
    os.utime(abandoned, (0, 0))

    ran = bench("cache", "prune", "--write")
    assert ran.out.startswith("1 entries, 0.0 MB, and 1 unfinished files are gone")
    assert not path.exists()
    assert not abandoned.exists()
    assert written.exists()  # by a run that is under way
    assert len(left(cache)) == 2


def test_prune_everything_and_something(bench: Bench) -> None:
    """These contradict each other."""
    ran = bench("cache", "prune", "--all", "--task", "induction/a")
    assert (ran.code, ran.out) == (2, "")
    assert "--all clears everything; leave the other options out" in ran.err


def test_prune_what_cannot_be_removed(bench: Bench, cache: Cache) -> None:
    """It is said which file."""
    path = next(iter(cache.stored())).path
    path.unlink()
    path.mkdir()

    ran = bench("cache", "prune", "--write")
    assert (ran.code, path.is_dir()) == (0, True)  # what it is cannot be read
    ran = bench("cache", "prune", "--all", "--write")
    assert ran.code == 1
    assert f"'{path}' cannot be removed: Is a directory" in ran.err
