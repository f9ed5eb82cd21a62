"""``bench findings``: say what the methods found."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.board_entries import leaderboard_entries
from bench.cli.options import Root, writable_root
from bench.cli.trusted import read_trusted
from bench.errors import FileFormatError
from bench.leaderboard.findings import Found, collect_findings, render_findings
from bench.leaderboard.generate import SUITE
from bench.leaderboard.rows import Row, collect_rows
from bench.profiles.promptwise import PROFILES
from bench.results.store import write_atomically

PAGE = Path("docs/findings.md")
PLOT = Path("docs/images/cost.png")
MEAN = "both profiles"


def findings(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the page is stale.")
    ] = False,
    root: Root = None,
) -> None:
    """Write docs/findings.md from stored results."""
    folder = writable_root(root)
    trusted = read_trusted(folder)
    suite = trusted.suite(SUITE)
    rows = collect_rows(leaderboard_entries(folder, trusted), trusted, suite=SUITE)
    found = collect_findings(rows, trusted, suite)
    page = render_findings(found, name=SUITE, suite=suite)
    if check:
        _check(folder / PAGE, page)
        return
    write_atomically(folder / PAGE, page.encode())
    print(folder / PAGE)
    _draw(found, folder / PLOT)


def _check(path: Path, page: str) -> None:
    if not path.is_file() or path.read_bytes() != page.encode():
        raise FileFormatError(
            f"{PAGE} does not show the present results. Write it anew with: bench "
            "findings"
        )
    typer.echo("The findings are up to date.", err=True)


def _draw(found: Found, path: Path) -> None:
    try:
        from bench.plots.cost_plot import CostPoint, draw_cost
    except ModuleNotFoundError:
        typer.echo("No plot: it needs 'induction-bench[run]' (matplotlib).", err=True)
        return
    points = [
        CostPoint(row.method, row.cost, _skills(row), oracle=row.kind == "oracle")
        for row in found.rows
        if row.cost is not None and row.mean.score.value is not None
    ]
    write_atomically(path, draw_cost(points, [MEAN, *PROFILES]))
    print(path)


def _skills(row: Row) -> dict[str, float]:
    means = {MEAN: row.mean} | {name: row.profile_mean(name) for name in PROFILES}
    return {
        name: -1.0 if mean.score.value is None else mean.score.value
        for name, mean in means.items()
    }
