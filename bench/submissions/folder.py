"""Write the folder of a submission over what was there of it before."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from bench.errors import FileFormatError
from bench.results.store import write_atomically
from bench.submissions.manifest import (
    CODE,
    MANIFEST,
    README,
    WITHDRAWAL,
    array_name,
    read_manifest,
)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a submission, or what is left of a withdrawn one.

    Of the files that are there, only those go that a submission has: others are left,
    for validation to name. A text about the method stays, unless it is withdrawn.

    Raises:
        NoRoomError: A file could not be written; nothing was removed.
    """
    left_over = _packed_files(folder) - set(files)
    for name in sorted(files, key=lambda name: (name == MANIFEST, name)):
        write_atomically(folder / name, files[name])
    if WITHDRAWAL not in files:
        left_over.discard(README)
    # last, so that a failure before loses nothing; what resists, validation names
    for name in left_over:
        with suppress(OSError):
            (folder / name).unlink()


def _packed_files(folder: Path) -> set[str]:
    """Return the files of a submission that was packed, or withdrawn, before."""
    ours = {MANIFEST, README, WITHDRAWAL}
    with suppress(FileFormatError):
        manifest = read_manifest(folder)
        listed = [entry.path for entry in manifest.files]
        ours |= {CODE, *listed, *map(array_name, listed)}
    return ours
