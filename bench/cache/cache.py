"""A folder of computed bytes, each under the digest of what it depends on.

Entries are written whole or not at all, and checked when they are read: processes that
share a folder cannot spoil each other's, and a spoilt one is computed again.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from bench.cache.entry import Entry, Key, entry_to_bytes, parse_entry
from bench.errors import FileFormatError
from bench.results.store import PARTIAL, write_atomically

VARIABLE = "BENCH_CACHE"
"""Environment variable that names the folder."""
ENDING = ".entry"
WRITING = 3600.0
"""Seconds after which an unfinished file is nobody's any more."""


def default_folder() -> Path:
    """Return the user's cache folder, or the one that the environment names."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_cache_path("induction-bench")


@dataclass(frozen=True)
class StoredEntry:
    """A file of the cache."""

    path: Path
    size: int
    entry: Entry | None
    """None if the file cannot be read, or is not what an entry should be."""
    problem: str | None
    """Why it is not."""
    readable: bool = True


@dataclass(frozen=True)
class Cache:
    """Computed bytes by key."""

    folder: Path

    def find(self, key: Key) -> Entry | None:
        """Return what was computed under a key; None if nothing sound is there."""
        path = self._path(key.digest)
        try:
            entry = parse_entry(path.read_bytes(), file=str(path))
        except (OSError, FileFormatError):
            return None  # absent or spoilt: computed again, never trusted
        return entry if entry.key == key else None

    def add(self, entry: Entry) -> None:
        """Keep an entry.

        Raises:
            NoRoomError: It could not be written.
        """
        write_atomically(self._path(entry.key.digest), entry_to_bytes(entry))

    def stored(self) -> Iterator[StoredEntry]:
        """Go through all files, in order of names."""
        for path in sorted(self.folder.glob(f"??/*{ENDING}")):
            yield self._read(path)

    def abandoned(self) -> list[Path]:
        """Return what writers that were killed have left behind."""
        before = time.time() - WRITING
        return [
            path
            for path in sorted(self.folder.glob(f"??/*{PARTIAL}"))
            if (written := _time_of(path)) is not None and written < before
        ]

    def _read(self, path: Path) -> StoredEntry:
        try:
            data = path.read_bytes()
        except OSError as error:
            problem = (
                f"'{path}' cannot be read: {error.strerror}. It may be sound: make it "
                "readable. Only prune --all removes it."
            )
            return StoredEntry(path, 0, None, problem, readable=False)
        try:
            entry = parse_entry(data, file=str(path))
        except FileFormatError as error:
            return StoredEntry(path, len(data), None, str(error))
        if self._path(entry.key.digest) != path:
            problem = f"'{path}' holds what belongs under another name."
            return StoredEntry(path, len(data), None, problem)
        return StoredEntry(path, len(data), entry, None)

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}{ENDING}"


def _time_of(path: Path) -> float | None:
    """Return when a file was written to; None if it is there no more."""
    try:
        return path.stat().st_mtime
    except OSError:
        return None  # its writer has finished and given it its name
