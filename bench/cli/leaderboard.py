"""``bench leaderboard``: generate the leaderboard."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.board_entries import leaderboard_entries
from bench.cli.options import Root, writable_root
from bench.cli.trusted import read_trusted
from bench.errors import MissingExtraError, UserError
from bench.leaderboard.errata import check_errata, find_erratum, read_printed
from bench.leaderboard.generate import (
    FILES,
    Leaderboard,
    check_leaderboard,
    generate,
    with_errata,
    write_leaderboard,
)
from bench.results.erratum_record import read_errata, write_erratum
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_withdrawals


def leaderboard(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if files are stale.")
    ] = False,
    erratum: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Say what was corrected, where versions of scores or tasks changed.",
        ),
    ] = None,
    site: Annotated[
        Path | None, typer.Option(help="Write the static pages into this folder, too.")
    ] = None,
    show: Annotated[
        bool, typer.Option("--open", help="Write the pages and open them in a browser.")
    ] = False,
    root: Root = None,
) -> None:
    """Write leaderboard.md, leaderboard.json and leaderboard.csv.

    They follow from submissions, records and reference_results alone, byte for byte.
    """
    if check and erratum is not None:
        raise UserError("--check writes nothing, and --erratum is to be written.")
    folder = writable_root(root)
    trusted = read_trusted(folder)
    errata = read_errata(folder)
    generated = generate(
        leaderboard_entries(folder, trusted),
        trusted,
        errata=errata,
        withdrawn=collect_withdrawals(folder),
    )
    if check:
        check_errata(generated.board, errata)
        check_leaderboard(generated, root=folder)
        typer.echo("The leaderboard is up to date.", err=True)
        return
    before = read_printed(folder / FILES[1])
    found = find_erratum(before, generated.board, errata, reason=erratum)
    if found is not None:
        generated = with_errata(generated, (*errata, found))
        print(write_erratum(folder, len(errata) + 1, found))
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
