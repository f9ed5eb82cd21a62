"""Work through rows a few at a time, fewer when memory runs out."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import torch

from bench.errors import OutOfMemoryError

T = TypeVar("T")

CPU_MESSAGE = "DefaultCPUAllocator"
"""What torch's CPU allocator calls itself, in an ordinary RuntimeError."""


def by_rows(
    work: Callable[[slice], T], n_rows: int, *, at_once: int | None = None
) -> list[T]:
    """Do the work on consecutive slices of the rows.

    Args:
        work: What to do with a slice of rows.
        n_rows: Number of rows in all.
        at_once: Rows at once; all by default. Halved whenever memory runs out.

    Raises:
        OutOfMemoryError: A single row does not fit into memory.
    """
    done: list[T] = []
    start, size = 0, min(at_once or n_rows, n_rows)
    while start < n_rows:
        try:
            done.append(work(slice(start, min(start + size, n_rows))))
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if size == 1:
                raise _too_large("A single prompt", error) from error
            size = (size + 1) // 2
            continue
        start += size
    return done


@contextmanager
def fitting(what: str) -> Generator[None, None, None]:
    """Say what it was that did not fit into memory.

    Raises:
        OutOfMemoryError: It did not.
    """
    try:
        yield
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        raise _too_large(what, error) from error


def _too_large(what: str, error: RuntimeError) -> OutOfMemoryError:
    reason = str(error).splitlines()[0].rstrip(".")
    return OutOfMemoryError(
        f"{what} does not fit into memory: {reason}. Use a device with more memory, "
        "such as --device cuda, or a method that keeps less."
    )


def _out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or CPU_MESSAGE in str(error)
