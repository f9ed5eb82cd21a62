"""The corpus of rejected submissions: what each case does to a valid one.

A case is a function that spoils a folder; its name is that of its golden report, and
its docstring says what is wrong. The valid folder has ``method.py`` and, for the first
task, a file of per-prompt values.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import FileFormatError
from bench.results.store import to_json
from bench.submissions.manifest import MANIFEST, read_manifest, sealed
from bench.tasks.digest import sha256_of_bytes

NAME = "my-method"
FIRST, SECOND = "induction-early.json", "induction-late.json"
ARRAYS = "induction-early.safetensors"

Change = Callable[[dict], object]
Spoil = Callable[[Path], Path | None]


@dataclass(frozen=True)
class Case:
    """One way to spoil a submission."""

    codes: frozenset[str]
    """What its report has, no more and no less."""
    spoil: Spoil


CASES: dict[str, Case] = {}


def case(*codes: str, name: str = "") -> Callable[[Spoil], Spoil]:
    """Enter a function into the corpus, under its own name by default."""

    def enter(spoil: Spoil) -> Spoil:
        key = name or getattr(spoil, "__name__", "").replace("_", "-")
        assert key not in CASES
        CASES[key] = Case(frozenset(codes), spoil)
        return spoil

    return enter


def seal(folder: Path) -> None:
    """Give a manifest the digest that it has to have, if it can be read."""
    with suppress(FileFormatError):
        (folder / MANIFEST).write_bytes(to_json(sealed(read_manifest(folder))))


def edit_manifest(folder: Path, change: Change) -> None:
    """Change the manifest behind a correct digest."""
    _edit(folder / MANIFEST, change)
    seal(folder)


def edit_record(folder: Path, change: Change, *, name: str = SECOND) -> None:
    """Change an attribution behind correct digests."""
    _edit(folder / name, change)
    rehash(folder)


def _edit(path: Path, change: Change) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def put_text(folder: Path, old: str, new: str, *, name: str = SECOND) -> None:
    """Replace a part of an attribution's text behind correct digests."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))
    rehash(folder)


def rehash(folder: Path) -> None:
    """Record the present sizes and digests of all files."""
    document = json.loads((folder / MANIFEST).read_bytes())
    for entry in [*document["files"], document["code"]]:
        if entry is not None and (folder / entry["path"]).is_file():
            data = (folder / entry["path"]).read_bytes()
            entry |= {"bytes": len(data), "sha256": sha256_of_bytes(data)}
    (folder / MANIFEST).write_text(json.dumps(document))
    seal(folder)


def put_arrays(folder: Path, data: bytes) -> None:
    """Put another file of per-prompt values behind correct digests."""
    (folder / ARRAYS).write_bytes(data)
    entry = {"bytes": len(data), "sha256": sha256_of_bytes(data)}
    edit_record(folder, lambda r: r.update(per_prompt_file=entry), name=FIRST)
