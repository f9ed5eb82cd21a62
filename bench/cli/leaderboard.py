"""``bench leaderboard``: generate the leaderboard."""

from typing import Annotated

import typer

from bench.cli.options import Root, resolve_root
from bench.cli.trusted import read_trusted
from bench.leaderboard.generate import (
    FILES,
    check_leaderboard,
    generate,
    write_leaderboard,
)


def leaderboard(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if files are stale.")
    ] = False,
    root: Root = None,
) -> None:
    """Write leaderboard.md and leaderboard.json.

    Both follow from submissions and reference_results alone, byte for byte.
    """
    folder = resolve_root(root)
    generated = generate(folder, read_trusted(folder))
    if check:
        check_leaderboard(generated, root=folder)
        typer.echo("The leaderboard is up to date.", err=True)
        return
    write_leaderboard(generated, root=folder)
    for name in FILES:
        print(folder / name)
