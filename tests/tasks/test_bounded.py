import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import FileFormatError
from bench.tasks import bounded
from bench.tasks.bounded import held_folder, read_bounded


def refusal(path: Path, *, limit: int = 100) -> str:
    """Read what must be refused and return the reason."""
    with pytest.raises(FileFormatError, match="^" + re.escape(f"'{path}' ")) as error:
        read_bounded(path, limit=limit)
    return str(error.value).removeprefix(f"'{path}' ")


def test_a_file_is_read(tmp_path: Path) -> None:
    """A regular file up to the limit comes back byte by byte, empty or not."""
    path = tmp_path / "x"
    for data in (b"", b"\r\n\x00\x1a", b"x" * 100):
        path.write_bytes(data)
        assert read_bounded(path, limit=100) == data


def test_larger_files_are_not_read(tmp_path: Path) -> None:
    """A file beyond the limit is refused by its size; a terabyte takes no time."""
    path = tmp_path / "x"
    path.touch()
    os.truncate(path, 10**12)

    assert refusal(path) == "has 1000000000000 bytes; the limit is 100."


def pipe(path: Path) -> None:
    """Make a pipe that nobody writes to."""
    os.mkfifo(path)


def loop(path: Path) -> None:
    """Make a link to itself."""
    path.symlink_to(path)


def closed(path: Path) -> None:
    """Make a file that nobody may read."""
    path.touch(mode=0)


def unix_socket(path: Path) -> None:
    """Leave a socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # names of sockets are short


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "cannot be read: No such file or directory."),
        (Path.mkdir, "is not a regular file."),
        (pipe, "is not a regular file."),
        (loop, "cannot be read: Too many levels of symbolic links."),
        (lambda path: path.symlink_to(__file__), "cannot be read: Too many levels of"),
        (lambda path: path.symlink_to("/dev/zero"), "cannot be read: Too many levels"),
        (unix_socket, "cannot be read: No such device or address."),
    ],
    ids=["nothing", "folder", "pipe", "loop", "link", "device", "socket"],
)
def test_what_is_no_file(
    make: Callable[[Path], object],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing but a regular file is read, and nothing else is waited for."""
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "x")

    assert refusal(tmp_path / "x").startswith(reason)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(tmp_path: Path) -> None:
    """A file without the right to read it is named."""
    closed(tmp_path / "x")

    assert refusal(tmp_path / "x") == "cannot be read: Permission denied."


def test_impossible_names() -> None:
    """A name that no file can have is no crash."""
    assert refusal(Path("a\0b")) == "cannot be read: embedded null byte."
    assert refusal(Path("a" * 5000)) == "cannot be read: File name too long."


def test_a_link_may_be_followed_where_it_is_ones_own(tmp_path: Path) -> None:
    """Only what strangers send is held to have no links."""
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "link").symlink_to("x")

    assert read_bounded(tmp_path / "link", limit=1, follow=True) == b"1"


def test_failure_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails is named, and nothing stays open."""
    (tmp_path / "x").touch()

    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    closed_again: list[int] = []
    close = os.close

    def note(descriptor: int) -> None:
        closed_again.append(descriptor)
        close(descriptor)

    monkeypatch.setattr(bounded.os, "close", note)
    monkeypatch.setattr(bounded.os, "fdopen", fail)
    assert refusal(tmp_path / "x") == "cannot be read: Input/output error."
    assert len(closed_again) == 1


@pytest.mark.parametrize("change", ["longer", "shorter", "touched"])
def test_a_file_that_changes_meanwhile(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written to while it is read is refused, whatever was read of it."""
    path = tmp_path / "x"
    path.write_bytes(b"1234")
    fdopen = os.fdopen

    def meanwhile(*arguments: object, **options: object) -> object:
        if change == "touched":
            os.utime(path, ns=(0, 0))
        else:
            path.write_bytes(b"123" if change == "shorter" else b"12345")
        return fdopen(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(bounded.os, "fdopen", meanwhile)
    assert refusal(path) == "changed while it was read."


def test_a_held_folder_stays_the_same(tmp_path: Path) -> None:
    """A link put in the place of a folder does not lead out of it."""
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    (ours / "x").write_bytes(b"ours")
    (other / "x").write_bytes(b"other")
    with held_folder(ours) as descriptor:
        ours.rename(tmp_path / "moved")
        ours.symlink_to(other)
        assert read_bounded(Path("x"), limit=9, folder=descriptor) == b"ours"


def test_a_folder_where_they_cannot_be_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere paths are used, and a link is refused as it stands."""
    monkeypatch.setattr(bounded, "_HOLDS_FOLDERS", False)
    with held_folder(tmp_path) as descriptor:
        assert descriptor is None
    (tmp_path / "link").symlink_to(tmp_path)
    with (
        pytest.raises(NotADirectoryError, match=r"link' is a link$"),
        held_folder(tmp_path / "link"),
    ):
        pass
