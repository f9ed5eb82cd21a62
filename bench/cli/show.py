"""``bench show``: one task, or one built-in method."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from tabulate import tabulate

from bench.cli.options import Json, Root, resolve_root
from bench.methods.catalogue import Entry, built_in
from bench.results.reference_record import is_measured
from bench.tasks.registry import find_task
from bench.tasks.spec import ModelSource


def show(
    name: Annotated[
        str, typer.Argument(help="Task, by name or task.toml, or built-in method.")
    ],
    as_json: Json = False,
    root: Root = None,
) -> None:
    """Show what a task consists of, or what a built-in method does."""
    if name in built_in():
        _show_method(built_in()[name], as_json=as_json)
        return
    folder = resolve_root(root)
    found = find_task(name, root=folder)
    spec = found.spec
    if as_json:
        print(json.dumps(spec.model_dump(mode="json"), indent=2))
        return
    source = spec.model
    place = source.embedded or source.path or source.hub or f"{source.planted}"
    rows = {
        "task": spec.id,
        "version": spec.version,
        "summary": spec.summary,
        "licence": spec.licence,
        "model": f"{place} ({spec.model.architecture}, {spec.model.blocks} blocks)",
        **_needs(source),
        "sections": found.n_sections,
        "prompts": spec.prompts.file,
        "reference protocol": spec.protocol,
        "reference": "stored" if is_measured(found, root=folder) else "pending",
        "digest": found.digest,
    }
    print(tabulate(list(rows.items()), tablefmt="plain", disable_numparse=True))


def _show_method(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(entry), indent=2))
        return
    oracle = ", an oracle: not ranked" if entry.oracle else ""
    print(f"{entry.name}: {entry.summary}")
    print(f"kind {entry.kind}, cost {entry.cost}{oracle}, in {entry.place}\n")
    print(entry.text)


def _needs(source: ModelSource) -> dict[str, str]:
    """Say what a model of the hub asks for."""
    if source.parameters is None:
        return {}
    memory = f"{source.gigabytes:.0f} GB of memory and some for activations"
    licence = "; its licence has to be accepted on the hub" if source.gated else ""
    return {"needs": f"{source.parameters:,} weights, {memory}{licence}"}
