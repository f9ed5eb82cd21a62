"""``bench schema``: the JSON Schemas of what is stored and submitted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.published import PUBLISHED, json_schema
from bench.errors import UnknownNameError
from bench.results.store import write_atomically


def schema(
    name: Annotated[str | None, typer.Argument(help="Which schema to print.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all schemas into this folder instead.")
    ] = None,
) -> None:
    """Print a JSON Schema, or write all of them."""
    if out is not None:
        for each in PUBLISHED:
            write_atomically(out / f"{each}.schema.json", _text(each).encode())
        return
    if name is None or name not in PUBLISHED:
        raise UnknownNameError("schema", name or "", PUBLISHED)
    print(_text(name), end="")


def _text(name: str) -> str:
    return json.dumps(json_schema(name), indent=2) + "\n"
