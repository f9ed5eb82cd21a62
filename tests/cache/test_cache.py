import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.cache.cache import VARIABLE, Cache, default_folder
from bench.cache.entry import Entry, Key, entry_to_bytes, make_entry, parse_entry
from bench.errors import FileFormatError, NoRoomError
from bench.results.attribution_record import TaskKey
from bench.results.provenance import Provenance

TASK = TaskKey(
    id="induction/a", version=1, digest="0" * 64, prompts_sha256="1" * 64,
    model_sha256={"m": "2" * 64},
)  # fmt: skip
KEY = Key(
    what="attribution",
    task=TASK,
    device="cpu",
    seed=0,
    code="3" * 64,
    packages={"torch": "2"},
)
PROVENANCE = Provenance(
    bench="1", bench_sha256="4" * 64, git_commit=None, git_dirty=None, python="3",
    platform="p", packages={}, device="cpu", dtype="float32", threads=1, seed=0,
    finished=datetime(2026, 1, 2, tzinfo=UTC).isoformat(),
)  # fmt: skip


def entry(payload: bytes = b"abc\ndef", key: Key = KEY) -> Entry:
    """Make an entry that took a second."""
    return make_entry(key, payload, wall_s=1.0, provenance=PROVENANCE)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


def path_of(cache: Cache, key: Key = KEY) -> Path:
    """Return the file of a key."""
    return cache.folder / key.digest[:2] / f"{key.digest}.entry"


def test_what_was_added_is_found(cache: Cache) -> None:
    """An entry comes back as it was, under its key alone."""
    assert cache.find(KEY) is None
    cache.add(entry())

    assert cache.find(KEY) == entry()
    assert path_of(cache).is_file()
    assert cache.find(KEY.model_copy(update={"seed": 1})) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("what", "untrained"),
        ("task", TASK.model_copy(update={"digest": "9" * 64})),
        ("method_code", "9" * 64),
        ("settings", {"exact": True}),
        ("device", "cuda"),
        ("seed", 1),
        ("code", "9" * 64),
        ("packages", {"torch": "3"}),
    ],
)
def test_every_field_is_part_of_the_name(field: str, value: object) -> None:
    """Whatever bytes depend on gives them another name."""
    assert KEY.model_copy(update={field: value}).digest != KEY.digest


def test_the_name_does_not_depend_on_an_order() -> None:
    """Dictionaries of another order are the same key."""
    one = KEY.model_copy(update={"packages": {"a": "1", "b": "2"}})
    other = KEY.model_copy(update={"packages": {"b": "2", "a": "1"}})

    assert one.digest == other.digest


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=60))
def test_any_bytes_are_kept(payload: bytes) -> None:
    """Line breaks and nothing at all included."""
    assert parse_entry(entry_to_bytes(entry(payload)), file="x") == entry(payload)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_spoilt_file_is_noticed(data: st.DataObject) -> None:
    """A byte that changed, or an end that is missing, anywhere."""
    sound = entry_to_bytes(entry())
    place = data.draw(st.integers(0, len(sound) - 1))
    if data.draw(st.booleans()):
        spoilt = sound[:place]
    else:
        other = data.draw(st.integers(1, 255))
        changed = bytes([sound[place] ^ other])
        spoilt = sound[:place] + changed + sound[place + 1 :]

    with pytest.raises(FileFormatError, match="is not what was written: it was cut"):
        parse_entry(spoilt, file="x")


def test_a_file_of_another_format_is_noticed() -> None:
    """What is written under its own digest still has to be an entry."""
    content = b'{"schema_version": 2}\n'
    from bench.tasks.digest import sha256_of_bytes

    data = sha256_of_bytes(content).encode() + b"\n" + content
    with pytest.raises(FileFormatError, match=r"'x' is not a valid Header"):
        parse_entry(data, file="x")


def test_a_spoilt_entry_is_as_good_as_none(cache: Cache) -> None:
    """It is not found, it is told of, and a new one takes its place."""
    cache.add(entry())
    path_of(cache).write_bytes(b"junk")

    assert cache.find(KEY) is None
    (stored,) = cache.stored()
    assert stored.entry is None
    assert "cut off or altered" in str(stored.problem)
    cache.add(entry())
    assert cache.find(KEY) == entry()


def test_an_entry_under_another_name(cache: Cache) -> None:
    """A file that was copied onto another's name is no answer to that key."""
    other = KEY.model_copy(update={"seed": 1})
    cache.add(entry())
    path_of(cache, other).parent.mkdir(parents=True, exist_ok=True)
    path_of(cache, other).write_bytes(path_of(cache).read_bytes())

    assert cache.find(other) is None
    problems = [stored.problem for stored in cache.stored() if stored.problem]
    assert len(problems) == 1
    assert "holds what belongs under another name" in problems[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_entry_that_cannot_be_read(cache: Cache) -> None:
    """It is not found, and the reason is told."""
    cache.add(entry())
    path_of(cache).chmod(0)

    assert cache.find(KEY) is None
    assert [stored.problem for stored in cache.stored()] == [
        f"'{path_of(cache)}' cannot be read: Permission denied. It may be sound: make "
        "it readable. Only prune --all removes it."
    ]


def test_an_unfinished_file_that_is_finished_meanwhile(cache: Cache) -> None:
    """Its writer gave it its name after it was listed."""
    cache.add(entry())
    beside = path_of(cache).with_suffix(".partial")
    beside.symlink_to("nowhere")  # listed, and not there

    assert cache.abandoned() == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said, with the file that was meant."""
    (tmp_path / "file").touch()
    with pytest.raises(NoRoomError, match=r"entry' could not be written: Not a dir"):
        Cache(tmp_path / "file").add(entry())


def test_the_environment_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, it is the user's cache folder."""
    monkeypatch.setenv(VARIABLE, "/some/where")
    assert default_folder() == Path("/some/where")
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x/cache")
    assert "induction-bench" in default_folder().parts
