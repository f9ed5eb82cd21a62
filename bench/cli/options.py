"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cache.cache import Cache, default_folder
from bench.errors import UserError
from bench.tasks.registry import PACKAGE, data_root

Root = Annotated[
    Path | None,
    typer.Option(
        help="Folder with tasks, reference_results and submissions.",
        show_default="the repository",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Details = Annotated[
    bool,
    typer.Option(
        "--details", help="Every score, and profiles as bars, as for a single task."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        help="Where to run the model: cpu, cuda, ..., or auto: on several at once."
    ),
]
LARGEST_SEED = 2**63 - 1
Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the method's randomness.")
]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="Only this task, by name or task.toml; repeatable."),
]

Write = Annotated[
    bool, typer.Option("--write", help="Do it; without, it is only shown.")
]
NoGit = Annotated[
    bool, typer.Option("--no-git", help="Write the folder alone, and make no branch.")
]
BaseBranch = Annotated[
    str | None,
    typer.Option(
        "--base",
        metavar="BRANCH",
        help="Branch to start from.",
        show_default="the repository's default branch",
    ),
]

CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder of the cache.",
        show_default="BENCH_CACHE, or the user's cache folder",
    ),
]

DEFAULT_SUITE = "core"
RESULTS = Path("results")


def resolve_cache(folder: Path | None) -> Cache:
    """Return the cache in the given folder, or in that of the environment."""
    return Cache(default_folder() if folder is None else folder)


def resolve_root(root: Path | None) -> Path:
    """Return the given folder or the repository's."""
    return data_root() if root is None else root


def writable_root(root: Path | None) -> Path:
    """Return the given folder or the repository's, to write to.

    Raises:
        UserError: There is no repository, only the data of an installed package.
    """
    found = resolve_root(root)
    if found.is_relative_to(PACKAGE):
        raise UserError(
            "This command writes to a repository, and the installed package is none. "
            "Run it with --root and a clone of the repository."
        )
    return found
