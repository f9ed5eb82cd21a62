"""``bench leaderboard``: generate the leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Root, writable_root
from bench.cli.trusted import read_trusted
from bench.errors import MissingExtraError
from bench.leaderboard.generate import (
    FILES,
    SUITE,
    Leaderboard,
    check_leaderboard,
    generate,
    write_leaderboard,
)
from bench.leaderboard.rows import Entry
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_submissions


def leaderboard(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if files are stale.")
    ] = False,
    site: Annotated[
        Path | None, typer.Option(help="Write the static pages into this folder, too.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Write the pages and open them in a browser.")
    ] = False,
    root: Root = None,
) -> None:
    """Write leaderboard.md, leaderboard.json and leaderboard.csv.

    They follow from submissions and reference_results alone, byte for byte.
    """
    folder = writable_root(root)
    trusted = read_trusted(folder)
    generated = generate(leaderboard_entries(folder, trusted), trusted)
    if check:
        check_leaderboard(generated, root=folder)
        typer.echo("The leaderboard is up to date.", err=True)
        return
    write_leaderboard(generated, root=folder)
    for name in FILES:
        print(folder / name)
    if site is not None or show:
        pages = site or folder / "results" / "site"
        _write_pages(generated, trusted, pages)
        print(pages / "index.html")
        if show:
            typer.launch(str(pages / "index.html"))


def _write_pages(generated: Leaderboard, trusted: Trusted, folder: Path) -> None:
    try:
        from bench.leaderboard.site.pages import render_site
    except ModuleNotFoundError:
        raise MissingExtraError("altair", extra="site") from None
    from bench.leaderboard.site.write import write_site

    write_site(render_site(generated.board, generated.rows, trusted), folder)


def leaderboard_entries(root: Path, trusted: Trusted) -> list[Entry]:
    """Turn the submissions to the leaderboard's suite into its entries."""
    tasks = trusted.suite(SUITE).tasks
    return [
        Entry(
            method=found.manifest.method,
            records=tuple(found.records[t] for t in tasks if t in found.records),
            scores=tuple(found.scores[t] for t in tasks if t in found.scores),
            incomplete=found.manifest.incomplete,
        )
        for found in collect_submissions(root, trusted)
        if found.manifest.suite.name == SUITE
    ]
