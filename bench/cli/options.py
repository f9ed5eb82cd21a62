"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from bench.tasks.registry import data_root

Root = Annotated[
    Path | None,
    typer.Option(
        help="Folder with tasks, reference_results and submissions.",
        show_default="the repository",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Device = Annotated[str, typer.Option(help="Where to run the model: cpu, cuda, ...")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the method's randomness.")]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", help="Only this task, by name or task.toml; repeatable."),
]

DEFAULT_SUITE = "core"
RESULTS = Path("results")


def resolve_root(root: Path | None) -> Path:
    """Return the given folder or the repository's."""
    return data_root() if root is None else root
