"""``bench cache``: see, check and clear what runs have kept."""

import json
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from bench.cache.cache import Cache, StoredEntry
from bench.cli.console import table, write_out
from bench.cli.lazy import plain_typer
from bench.cli.options import CacheFolder, Json, Write, resolve_cache
from bench.errors import NoRoomError, RunFailedError, UserError

cache = plain_typer(name="cache", help="See, check and clear what runs have kept.")

MB = 1e6
MOST_DAYS = 36_500


@cache.command()
def ls(folder: CacheFolder = None, as_json: Json = False) -> None:
    """List what is kept: each part of a method on a task, each stage of a reference."""
    kept = resolve_cache(folder)
    stored = list(kept.stored())
    if as_json:
        print(json.dumps([_row(entry) for entry in stored], indent=2))
        return
    rows = table("part", "method", "task", "seed", "device", "kB", "seconds", "made")
    for row in sorted((_row(entry) for entry in stored), key=_order):
        rows.add_row(*(str(row[name]) for name in COLUMNS))
    size = sum(entry.size for entry in stored)
    write_out(rows, f"\n{len(stored)} entries, {size / MB:.1f} MB in {kept.folder}")


COLUMNS = ("part", "method", "task", "seed", "device", "kB", "seconds", "made")


def _row(stored: StoredEntry) -> dict[str, object]:
    found = stored.entry
    if found is None:
        empty: dict[str, object] = dict.fromkeys(COLUMNS, "")
        size = f"{stored.size / 1e3:.1f}"
        return empty | {"part": "spoilt", "kB": size, "file": str(stored.path)}
    key, header = found.key, found.header
    return {
        "part": key.what,
        "method": "" if key.method is None else key.method.name,
        "task": key.task.id,
        "seed": key.seed,
        "device": header.provenance.device,
        "kB": f"{stored.size / 1e3:.1f}",
        "seconds": f"{header.wall_s:.1f}",
        "made": header.provenance.finished[:10],
        "file": str(stored.path),
    }


def _order(row: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("task", "method", "part", "seed", "file"))


@cache.command()
def verify(folder: CacheFolder = None) -> None:
    """Check that every entry is what was computed."""
    kept = resolve_cache(folder)
    stored = list(kept.stored())
    problems = [entry.problem for entry in stored if entry.problem is not None]
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        where = "" if folder is None else f" --cache {shlex.quote(str(folder))}"
        raise RunFailedError(
            f"{len(problems)} of {len(stored)} entries are spoilt. Clear them with: "
            f"bench cache prune --write{where}\n{listed}"
        )
    print(f"{len(stored)} entries in {kept.folder} are what was computed.")


@cache.command()
def prune(
    older_than: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_DAYS, metavar="DAYS", help="Made longer ago."),
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option(help="Of this method; repeatable.")
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Of this task; repeatable.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of it.")] = False,
    folder: CacheFolder = None,
    write: Write = False,
) -> None:
    """Clear entries that all given options fit, and always spoilt ones."""
    kept = resolve_cache(folder)
    chosen = older_than is not None or method or task
    if everything and chosen:
        raise UserError("--all clears everything; leave the other options out.")
    before = None if older_than is None else datetime.now(UTC) - timedelta(older_than)

    def fits(stored: StoredEntry) -> bool:
        found = stored.entry
        if found is None or everything:
            return stored.readable or everything
        key = found.key
        name = None if key.method is None else key.method.name
        made = datetime.fromisoformat(found.header.provenance.finished)
        return bool(chosen) and all(
            (
                before is None or made < before,
                not method or name in method,
                not task or key.task.id in task,
            )
        )

    old = [stored for stored in kept.stored() if fits(stored)]
    _clear(kept, old, write=write)


def _clear(kept: Cache, old: list[StoredEntry], *, write: bool) -> None:
    size = sum(stored.size for stored in old)
    left = kept.abandoned()
    what = f"{len(old)} entries, {size / MB:.1f} MB, and {len(left)} unfinished files"
    if not write:
        print(f"{what} would go from {kept.folder}. Do it with --write.")
        return
    _remove([*(stored.path for stored in old), *left])
    print(f"{what} are gone from {kept.folder}.")


def _remove(paths: Iterable[Path]) -> None:
    """Remove files; one that another process removed already is no problem."""
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise NoRoomError(
                f"'{path}' cannot be removed: {error.strerror}. Run the same command "
                "again once it can be."
            ) from None
