"""Read a file of a stranger: a regular one, of a known size at most, and only once.

Whatever is checked or computed afterwards is done on the bytes that were read, so that
a file which changes meanwhile cannot be checked with one content and used with another.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import FileFormatError

# a pipe is not waited for; Windows has none of these flags but the first and last
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_HOLDS_FOLDERS = os.open in os.supports_dir_fd and os.scandir in os.supports_fd


@contextmanager
def held_folder(path: Path) -> Generator[int | None]:
    """Hold a folder open, so that no other one can be read that is put in its place.

    Args:
        path: The folder; no link.

    Yields:
        Its descriptor; None where the system has no descriptors of folders (Windows).

    Raises:
        OSError: It is not there, not a folder, a link, or cannot be read.
    """
    if not _HOLDS_FOLDERS:
        if path.is_symlink():
            raise NotADirectoryError(f"'{path}' is a link")
        yield None
        return
    descriptor = os.open(path, _FLAGS | _NO_LINK | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_bounded(
    path: Path, *, limit: int, folder: int | None = None, follow: bool = False
) -> bytes:
    """Read a regular file that is not larger than a limit.

    Args:
        path: The file.
        limit: Bytes that it may have; no more than one byte beyond is ever read.
        folder: Descriptor of the folder that ``path`` starts from.
        follow: Whether the file may be a link.

    Raises:
        FileFormatError: The file cannot be read, is a link or not a regular file, is
            larger than the limit, or changed while it was read.
    """
    flags = _FLAGS if follow else _FLAGS | _NO_LINK
    try:
        descriptor = os.open(path, flags, dir_fd=folder)
    except (OSError, ValueError) as error:
        raise FileFormatError(f"'{path}' cannot be read: {_reason(error)}.") from None
    try:
        return _read(descriptor, path, limit)
    except OSError as error:
        raise FileFormatError(f"'{path}' cannot be read: {_reason(error)}.") from None
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: Path, limit: int) -> bytes:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        raise FileFormatError(f"'{path}' is not a regular file.")
    if before.st_size > limit:
        raise FileFormatError(
            f"'{path}' has {before.st_size} bytes; the limit is {limit}."
        )
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(limit + 1)
    after = os.fstat(descriptor)
    unchanged = (before.st_size, before.st_mtime_ns) == (
        after.st_size,
        after.st_mtime_ns,
    )
    if not unchanged or len(data) != before.st_size:
        raise FileFormatError(f"'{path}' changed while it was read.")
    return data


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
