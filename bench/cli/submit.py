"""``bench submit``: pack results into a submission."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.evaluate import load_method
from bench.cli.options import DEFAULT_SUITE, RESULTS, Root, writable_root
from bench.cli.trusted import read_trusted
from bench.submissions.manifest import FOLDER
from bench.submissions.pack import pack_submission


def submit(
    method: Annotated[
        str, typer.Argument(help="The method's name, or its file as for evaluate.")
    ],
    suite: Annotated[str, typer.Option(help="Suite to submit to.")] = DEFAULT_SUITE,
    results: Annotated[
        Path | None,
        typer.Option(help="Results folder.", show_default="results/<method>"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of submissions.", show_default="submissions"),
    ] = None,
    incomplete: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Submit without some tasks: shown with this reason, and not ranked.",
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Pack the results of a method into a submission."""
    folder = writable_root(root)
    is_name = not method.partition(":")[0].endswith(".py") and ":" not in method
    found = None if is_name else load_method(method)
    name = method if found is None else found.method.name
    target = folder / FOLDER if out is None else out
    manifest = pack_submission(
        RESULTS / name if results is None else results,
        suite=suite,
        trusted=read_trusted(folder),
        out=target,
        source=None if found is None else found.file,
        incomplete=incomplete,
    )
    packed = target / manifest.method.name
    print(packed)
    typer.echo(
        f"Packed {len(manifest.files)} task(s). Next:\n"
        f"  bench validate {packed}\n"
        f"  bench leaderboard        shows it among the others\n"
        f"  git switch -c submit-{manifest.method.name}\n"
        f"  git add {packed} leaderboard.*\n"
        f"  git commit -m 'Submit {manifest.method.name}'\n"
        "and open a pull request.",
        err=True,
    )
