"""Write the static site into a folder, and take away pages that it no longer has."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from bench.errors import UserError
from bench.results.store import write_atomically

LIST = "site.json"
"""Names the files that the site wrote: only these are ever removed."""


def write_site(files: Mapping[str, bytes], folder: Path) -> None:
    """Write every file of the site.

    Raises:
        UserError: The folder holds something that is no site.
        NoRoomError: A file could not be written.
    """
    stale = _written(folder) - set(files)
    listed = json.dumps(sorted(files), indent=2) + "\n"
    # the list first: what an interrupted run leaves behind is then known
    write_atomically(folder / LIST, listed.encode())
    for path, content in files.items():
        write_atomically(folder / path, content)
    for path in stale:
        (folder / path).unlink(missing_ok=True)


def _written(folder: Path) -> set[str]:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    try:
        found = json.loads((folder / LIST).read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, list):
        raise UserError(
            f"'{folder}' is not empty and holds no site that bench wrote ({LIST} is "
            "missing or broken). Name another folder, or empty this one."
        )
    inside = folder.resolve()
    return {
        path
        for path in map(str, cast(list[object], found))
        if (folder / path).resolve().is_relative_to(inside)
    }
