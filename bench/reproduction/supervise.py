"""Run a process that may be hostile: bounded in time, memory, disk and output.

Whatever it leaves behind is ended with it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from bench.errors import RunFailedError
from bench.reproduction.request import Limits

POLL_S = 0.2
OUTPUT_KEPT = 8192
"""Bytes of the output's end that are kept; the rest is thrown away as it comes."""
CHUNK = 65536
MOST_ENTRIES = 10_000
"""Files in the watched folder; no child has a use for more."""
ENDING_S = 10.0
"""How long processes are looked for after they were told to end."""
SUBREAPER = 36
"""Linux's PR_SET_CHILD_SUBREAPER: orphans come to us, not to process 1."""


@dataclass(frozen=True)
class Ended:
    """How a process came to its end."""

    code: int
    stopped: str | None
    """Why it was ended from outside; None if it ended by itself."""
    output: str
    """The end of what it printed."""
    wall_s: float


@dataclass(frozen=True)
class Supervised:
    """A command and where it may write."""

    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    written: int
    """Descriptor of the folder that it writes to: it stays the same folder whatever
    the process renames or links."""


def supervise(
    job: Supervised, limits: Limits, *, poll: Callable[[], None] = lambda: None
) -> Ended:
    """Run a command to its end or to the first limit.

    Args:
        job: What to run.
        limits: What it may use.
        poll: Called a few times a second.

    Raises:
        RunFailedError: The command cannot be started.
    """
    started = time.monotonic()
    with _orphans_come_home() as known:
        process = _start(job)
        tail = _Tail(process.stdout)
        stopped: str | None = None
        try:
            while process.poll() is None and stopped is None:
                time.sleep(POLL_S)
                poll()
                wall = time.monotonic() - started
                stopped = next(_exceeded(process, job.written, limits, wall), None)
        finally:
            _end(process, known)
            output = tail.text()
        # what it wrote last counts as well
        stopped = stopped or next(_written(job.written, limits), None)
    wall = time.monotonic() - started
    return Ended(process.returncode, stopped, output, wall)


def _start(job: Supervised) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603  (the child's command line is ours)
            list(job.command),
            env=dict(job.env),
            cwd=job.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise RunFailedError(
            f"'{job.command[0]}' cannot be started: {error.strerror}."
        ) from None


class _Tail:
    """Reads all that a process prints and keeps the end."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._kept = b""
        self._stream = stream
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        if self._stream is None:
            return
        with suppress(OSError, ValueError):
            while chunk := os.read(self._stream.fileno(), CHUNK):
                self._kept = (self._kept + chunk)[-OUTPUT_KEPT:]

    def text(self) -> str:
        """Return the end; a stray holder of the pipe is not waited for."""
        self._thread.join(timeout=1.0)
        if self._stream is not None and not self._thread.is_alive():
            self._stream.close()
        return self._kept.decode("utf-8", errors="replace")


def _exceeded(
    process: subprocess.Popen[bytes], written: int, limits: Limits, wall: float
) -> Iterator[str]:
    """Yield the limits that a process is over."""
    if wall > limits.timeout_s:
        yield f"it was not done after {limits.timeout_s:g} s"
    yield from _written(written, limits)
    family = _family(process.pid)
    if len(family) > limits.processes:
        yield f"it ran more than {limits.processes} processes"
    if sum(map(_resident, family)) > limits.memory_gb * 2**30:
        yield f"it used more than {limits.memory_gb:g} GB of memory"


def _written(folder: int, limits: Limits) -> Iterator[str]:
    found = _usage(folder, most=limits.disk_mb * 2**20)
    if found > limits.disk_mb * 2**20:
        yield f"it wrote more than {limits.disk_mb} MB or {MOST_ENTRIES} files"


def _usage(folder: int, *, most: int) -> int:
    """Add up what a folder takes on disk; stop counting once it is too much."""
    used, entries = 0, 0
    with suppress(OSError):  # what goes away while it is counted
        for _, _, files, at in os.fwalk(dir_fd=folder, follow_symlinks=False):
            entries += 1 + len(files)
            for name in files:
                with suppress(OSError):
                    stat = os.stat(name, dir_fd=at, follow_symlinks=False)
                    used += stat.st_blocks * 512
            if used > most or entries > MOST_ENTRIES:
                return most + 1
    return used


def _family(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return process.memory_info().rss
    return 0


@contextmanager
def _orphans_come_home() -> Generator[set[psutil.Process], None, None]:
    """Adopt what the process leaves behind; yields the children there were before."""
    known = set(psutil.Process().children(recursive=True))
    adopts = sys.platform == "linux"
    if adopts:
        _adopt(1)
    try:
        yield known
    finally:
        if adopts:
            _adopt(0)


def _adopt(switch: int) -> None:
    ctypes.CDLL(None).prctl(SUBREAPER, switch, 0, 0, 0)


def _end(process: subprocess.Popen[bytes], known: set[psutil.Process]) -> None:
    """End a process, its group, and all that descends from it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    until = time.monotonic() + ENDING_S
    while time.monotonic() < until:
        left = _left(known)
        for each in left:
            with suppress(psutil.Error):
                each.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=POLL_S)
        if not left:
            break
        # not the process itself: psutil would take its code away
        others = [each for each in left if each.pid != process.pid]
        psutil.wait_procs(others, timeout=POLL_S)
    process.wait(timeout=ENDING_S)
    for orphan in set(psutil.Process().children()) - known:
        with suppress(ChildProcessError):
            os.waitpid(orphan.pid, os.WNOHANG)  # adopted, so ours to bury


def _left(known: set[psutil.Process]) -> list[psutil.Process]:
    """Return the descendants that came since; those that only wait to be read not."""
    found = set(psutil.Process().children(recursive=True)) - known
    return [each for each in found if _lives(each)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
