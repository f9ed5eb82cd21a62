"""Errata: a corrected scorer or reference, and the scores that it moved.

``records/errata/NNNN.json``, numbered from 0001, is written once by ``bench leaderboard
--erratum`` and never edited.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bench.errors import FileFormatError
from bench.results.store import to_json, write_atomically
from bench.tasks.frozen import FrozenModel, SchemaVersion
from bench.tasks.spec import TEXT, Digest, Text
from bench.tasks.strict_json import read_strict_json

ERRATA = Path("records/errata")
LONGEST_REASON = 400

Skill = Annotated[float, Field(ge=-1.0, le=1.0)]


class Versions(FrozenModel):
    """What numbers on the leaderboard are computed by."""

    scores: Annotated[int, Field(ge=1)]
    """Of the scores."""
    suite: Text
    tasks: dict[Text, Annotated[int, Field(ge=1)]]
    """Task to its version."""


class ErratumRow(FrozenModel):
    """A row of the leaderboard whose numbers moved."""

    method: Text
    digest: Digest | None
    """Of the submission's manifest; None for a null method."""
    before: Skill | None
    """Mean skill as it was shown; None where it was undefined."""
    after: Skill | None


class Erratum(FrozenModel):
    """A correction."""

    schema_version: SchemaVersion = 1
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=TEXT)]
    before: Versions
    after: Versions
    rows: tuple[ErratumRow, ...]
    """In the order of the leaderboard."""


def read_errata(root: Path) -> tuple[Erratum, ...]:
    """Read all errata of a repository, from the first to the last.

    Raises:
        FileFormatError: A file is malformed or out of order, or the errata do not
            follow each other.
    """
    names = sorted(path.name for path in (root / ERRATA).glob("*"))
    expected = [erratum_name(number) for number in range(1, len(names) + 1)]
    if names != expected:
        odd = next(name for name in names if name not in expected)
        raise FileFormatError(
            f"'{root / ERRATA}' holds '{odd}' and {len(names) - 1} other file(s); "
            "expected errata alone, numbered from 0001 without a gap. Restore the "
            "folder (git checkout)."
        )
    errata = tuple(_read(root / ERRATA / name) for name in names)
    for problem in _gaps(errata):
        raise FileFormatError(f"{problem} Restore '{root / ERRATA}' (git checkout).")
    return errata


def _read(path: Path) -> Erratum:
    return Erratum.parse(read_strict_json(path), file=path)


def _gaps(errata: Sequence[Erratum]) -> Iterator[str]:
    """Report errata that do not begin where the one before ended."""
    for number, erratum in enumerate(errata, start=1):
        if erratum.before == erratum.after:
            yield f"Erratum {number:04} changes no version."
        if number > 1 and erratum.before != errata[number - 2].after:
            yield (
                f"Erratum {number:04} does not begin at the versions that erratum "
                f"{number - 1:04} ended at."
            )


def erratum_name(number: int) -> str:
    """Return the file name of an erratum."""
    return f"{number:04}.json"


def write_erratum(root: Path, number: int, erratum: Erratum) -> Path:
    """Write an erratum and return its file.

    Raises:
        NoRoomError: The file could not be written.
    """
    path = root / ERRATA / erratum_name(number)
    write_atomically(path, to_json(erratum))
    return path


def describe_change(before: Versions, after: Versions) -> str:
    """Say which versions changed: ``scores 1 to 2, induction/x 1 to 2``."""
    old, new = _named(before), _named(after)
    return ", ".join(
        f"{name} {old.get(name, 'none')} to {new.get(name, 'none')}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )


def _named(versions: Versions) -> dict[str, int | str]:
    return {"scores": versions.scores, "suite": versions.suite, **versions.tasks}
