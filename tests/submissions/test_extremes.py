"""Folders that no honest submission is like: endless, changing, gone, in a loop."""

import os
import shutil
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FileFormatError
from bench.results.trusted import Trusted
from bench.submissions import snapshot as snapshot_module
from bench.submissions.manifest import MANIFEST
from bench.submissions.problems import MOST, Problem, bounded
from bench.submissions.snapshot import MOST_FILES, take_snapshot
from bench.submissions.validation import Checked, validate_submission
from tests.submissions.corpus.cases import FIRST, SECOND, edit_manifest, rehash

pytestmark = pytest.mark.usefixtures("few_resamples")

SECONDS = 10.0
"""Of CPU, far more than any takes; what is not bounded takes minutes."""


def in_time(folder: Path, trusted: Trusted) -> Checked:
    """Validate a folder within bounds of time."""
    started = time.process_time()
    checked = validate_submission(folder, trusted)
    assert time.process_time() - started < SECONDS
    return checked


def in_memory(folder: Path, trusted: Trusted, *, megabytes: int) -> Checked:
    """Validate a folder within bounds of memory, which takes longer to watch."""
    tracemalloc.start()
    try:
        checked = validate_submission(folder, trusted)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6
    return checked


def codes(checked: Checked) -> set[str]:
    """Return what kinds of problems there are."""
    return {problem.code for problem in checked.problems}


def test_deep_nesting(sound: Path, trusted_once: Trusted) -> None:
    """A hundred thousand levels are refused without recursion."""
    for text in ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000):
        (sound / SECOND).write_text(text)
        rehash(sound)
        assert codes(in_time(sound, trusted_once)) == {"S010"}


def test_sparse_gigabyte(sound: Path, trusted_once: Trusted) -> None:
    """A gigabyte that takes no room is refused by its size, unread."""
    os.truncate(sound / FIRST, 10**9)

    assert codes(in_memory(sound, trusted_once, megabytes=20)) == {"S004"}


HOSTILE = {
    "lists": b'{"files":[' + b"[]," * 16_000 + b"[]]}",
    "objects": b'{"files":[' + b"{}," * 20_000 + b"{}]}",
    "many": b"[" + b"{}," * 330_000 + b"{}]",
    "truths": b'{"values":[' + b"true," * 49_000 + b"true]}",
    "texts": b'{"values":[' + b'"",' * 49_000 + b'""]}',
    "rows": b'{"per_prompt":[' + b"[0]," * 24_000 + b"[0]]}",
    "wrong-rows": b'{"per_prompt":[' + b"0," * 24_000 + b"0]}",
    "keys": b"{" + b",".join(b'"%x":0' % i for i in range(49_000)) + b"}",
    "claims": b'{"claimed_overlap":{'
    + b",".join(b'"%x":{}' % i for i in range(24_000))
    + b"}}",
    "escapes": b'{"digest":"' + b"\\u0041" * 160_000 + b'"}',
    "backslashes": b'{"digest":"' + b"\\\\" * 490_000 + b'"}',
    "quotes": b'"' * 990_000,
    "long-key": b'{"' + b"k" * 990_000 + b'":0}',
    "long-text": b'{"digest":"' + b"a" * 990_000 + b'"}',
    "digits": b'{"wall_s":' + b"9" * 990_000 + b"}",
    "fraction": b'{"wall_s":0.' + b"9" * 990_000 + b"}",
    "exponent": b'{"wall_s":1e-' + b"9" * 990_000 + b"}",
    "pairs": b'{"digest":"' + b"\\ud83d\\ude00" * 80_000 + b'"}',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("file", [MANIFEST, SECOND])
def test_hostile_files(
    name: str, file: str, sound: Path, trusted_once: Trusted
) -> None:
    """No file takes long, much memory, or more words than anybody reads."""
    (sound / file).write_bytes(HOSTILE[name])
    rehash(sound) if file == SECOND else None

    checked = in_time(sound, trusted_once)
    assert codes(checked) <= {"S009", "S010", "S011"}
    assert 1 <= len(checked.problems) <= MOST + 1


@pytest.mark.parametrize("name", ["many", "keys", "wrong-rows", "digits"])
def test_hostile_files_and_memory(
    name: str, sound: Path, trusted_once: Trusted
) -> None:
    """No file of a megabyte takes more than three hundred."""
    (sound / SECOND).write_bytes(HOSTILE[name])
    rehash(sound)

    assert in_memory(sound, trusted_once, megabytes=300).problems


def test_a_file_listed_again_and_again_is_read_once(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred entries of one large file take the time of one."""
    read: list[str] = []
    kept = "bench.submissions.validation.read_entry"
    from bench.submissions.attribution_checks import read_entry

    def count(snapshot: object, entry: object, *rest: object) -> object:
        read.append(entry.path)  # type: ignore[attr-defined]
        return read_entry(snapshot, entry, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, count)
    edit_manifest(sound, lambda m: m["files"].extend([m["files"][0]] * 90))
    validate_submission(sound, trusted_once)
    assert read == [FIRST, SECOND]


def test_suites_of_strangers_are_not_measured(
    sound: Path, trusted_once: Trusted
) -> None:
    """Names of suites that are not there leave nothing behind."""
    for number in range(5):
        edit_manifest(sound, lambda m, n=number: m["suite"].update(name=f"mine-{n}"))
        assert codes(validate_submission(sound, trusted_once)) == {"S025"}
    kept = trusted_once._targets
    assert not any("mine" in suite for _, suite in kept)


def test_the_listing_stops_early(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of endlessly many files no more are looked at than are allowed, and one."""
    looked = 0
    with os.scandir(sound) as entries:
        some = next(entries)

    class Endless:
        def __enter__(self) -> "Endless":
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __iter__(self) -> "Endless":
            return self

        def __next__(self) -> object:
            nonlocal looked
            looked += 1
            return some

    with monkeypatch.context() as patch:  # nobody else may list folders endlessly
        patch.setattr(snapshot_module.os, "scandir", lambda _: Endless())
        checked = validate_submission(sound, trusted_once)
    assert codes(checked) == {"S005"}
    assert looked == MOST_FILES + 1


@pytest.mark.slow
def test_a_million_files(tmp_path: Path, trusted_once: Trusted) -> None:
    """A folder of a million files is refused as fast as one of a thousand."""
    folder = tmp_path / "my-method"
    folder.mkdir()
    for number in range(1_000_000):
        os.close(os.open(folder / f"{number}.json", os.O_CREAT | os.O_WRONLY))

    checked = in_memory(folder, trusted_once, megabytes=20)
    assert [problem.code for problem in checked.problems] == ["S005"]
    shutil.rmtree(folder)


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object], *, at: str
) -> None:
    """Let something happen just before a file is opened, once."""
    kept, done = snapshot_module.read_bounded, []

    def read(path: Path, **options: object) -> bytes:
        if path.name == at and not done:
            done.append(path)
            happens()
        return kept(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshot_module, "read_bounded", read)


def s008(checked: Checked) -> str:
    """Return why the one file could not be read."""
    (problem,) = [p for p in checked.problems if p.code == "S008"]
    assert problem.file == SECOND
    return problem.found


def test_s008_a_file_that_vanishes(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listed file that is gone when it is read is named."""
    meanwhile(monkeypatch, (sound / SECOND).unlink, at=SECOND)

    found = s008(validate_submission(sound, trusted_once))
    assert found == f"'{SECOND}' cannot be read: No such file or directory."


def test_s008_a_file_that_becomes_a_link(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link put in the place of a file after it was looked at is not followed."""

    def swap() -> None:
        (sound / SECOND).unlink()
        (sound / SECOND).symlink_to("/etc/passwd")

    meanwhile(monkeypatch, swap, at=SECOND)
    found = s008(validate_submission(sound, trusted_once))
    assert found.startswith(f"'{SECOND}' cannot be read: Too many levels of symbolic")


def test_s008_a_file_that_becomes_a_pipe(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe put in the place of a file is not waited for."""

    def swap() -> None:
        (sound / SECOND).unlink()
        os.mkfifo(sound / SECOND)

    meanwhile(monkeypatch, swap, at=SECOND)
    found = s008(validate_submission(sound, trusted_once))
    assert found == f"'{SECOND}' is not a regular file."


def test_s008_a_file_that_grows(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that grew beyond the limit after it was looked at is not read."""
    meanwhile(monkeypatch, lambda: os.truncate(sound / SECOND, 10**12), at=SECOND)

    found = s008(validate_submission(sound, trusted_once))
    assert found == f"'{SECOND}' has 1000000000000 bytes; the limit is 1000000."


def test_a_file_that_is_replaced(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is checked is what is scored: another content has another digest."""

    def swap() -> None:
        (sound / "new").write_bytes(b"{}")
        (sound / "new").replace(sound / SECOND)

    meanwhile(monkeypatch, swap, at=SECOND)
    assert codes(validate_submission(sound, trusted_once)) == {"S023"}


def test_a_folder_that_vanishes(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is deleted meanwhile is no crash."""
    meanwhile(monkeypatch, lambda: shutil.rmtree(sound), at=FIRST)

    assert "S008" in codes(validate_submission(sound, trusted_once))


def test_a_folder_that_becomes_a_link(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder put in the place of another is not read: the first one stays held."""
    for path in sound.iterdir():
        (tmp_path / path.name).write_text("not this")

    def swap() -> None:
        sound.rename(sound.parent / "kept")
        sound.symlink_to(tmp_path)

    meanwhile(monkeypatch, swap, at=FIRST)
    assert validate_submission(sound, trusted_once).problems == ()


def test_an_unreadable_folder(
    sound: Path, trusted_once: Trusted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be listed is named with the reason."""

    def refuse(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_module.os, "scandir", refuse)
        (problem,) = validate_submission(sound, trusted_once).problems
    assert (problem.code, problem.found) == ("S001", "Permission denied")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "a\udcff"])
def test_folders_that_cannot_be(
    name: str, tmp_path: Path, trusted_once: Trusted
) -> None:
    """A name that no folder has is no crash."""
    assert codes(validate_submission(tmp_path / name, trusted_once)) == {"S001"}


def test_a_hard_link_is_a_file(
    sound: Path, trusted_once: Trusted, tmp_path: Path
) -> None:
    """A second name of a file is no link: it holds the bytes that it holds."""
    os.link(sound / FIRST, tmp_path / "other-name")

    assert validate_submission(sound, trusted_once).problems == ()


def test_problems_are_bounded() -> None:
    """As many as are allowed are shown; of more it is said how many."""
    one = Problem("S002", "a", "", "b", "c", "d")

    assert bounded([one] * MOST) == (one,) * MOST
    found = bounded([one] * (MOST + 7))
    assert found[:-1] == (one,) * MOST
    assert (found[-1].code, found[-1].found) == ("S009", "7 more")


def test_fields_of_problems_are_printable_and_short() -> None:
    """Whatever a stranger wrote, it is one line of visible ASCII."""
    text = "\x1b[2J\n\r\u2028\u202e\udcff\U0001f600##[error]" * 1000
    problem = Problem("S002", text, text, text, text, text)

    for field in (problem.file, problem.pointer, problem.found, problem.fix):
        assert field.isascii()
        assert field.isprintable()
        assert len(field) == 1000
        assert "##[" not in field


def test_an_error_that_is_none_of_ours() -> None:
    """What cannot be read is a FileFormatError, which the snapshot reports."""
    with pytest.raises(FileFormatError, match="cannot be read"):
        snapshot_module.read_bounded(Path("nothing"), limit=1)


def test_an_empty_snapshot_of_nothing(tmp_path: Path) -> None:
    """Nothing is read of a folder that is not there."""
    assert take_snapshot(tmp_path / "none").files == {}
