"""Read a file of a stranger: a regular one, of a known size at most, and only once.

Whatever is checked or computed afterwards is done on the bytes that were read, so that
a file which changes meanwhile cannot be checked with one content and used with another.
"""

import os
import stat
from pathlib import Path

from bench.errors import FileFormatError

# a link is not followed, a pipe not waited for; Windows has neither flag
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def read_bounded(path: Path, *, limit: int) -> bytes:
    """Read a regular file that is no link and not larger than a limit.

    Args:
        path: The file.
        limit: Bytes that it may have; no more than one byte beyond is ever read.

    Raises:
        FileFormatError: The file cannot be opened, is not a regular one, is larger than
            the limit, or changed while it was read.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FileFormatError(f"'{path}' cannot be read: {reason}.") from None
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise FileFormatError(f"'{path}' is not a regular file.")
        if before.st_size > limit:
            raise FileFormatError(
                f"'{path}' has {before.st_size} bytes; the limit is {limit}."
            )
        data = file.read(limit + 1)
        after = os.fstat(descriptor)
    unchanged = (before.st_size, before.st_mtime_ns) == (
        after.st_size,
        after.st_mtime_ns,
    )
    if not unchanged or len(data) != before.st_size:
        raise FileFormatError(f"'{path}' changed while it was read.")
    return data
