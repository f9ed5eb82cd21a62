"""``bench reference``: measure, verify and show references."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

from bench.cache.cache import Cache
from bench.cli.console import table, write_out
from bench.cli.display import progress_display
from bench.cli.lazy import plain_typer
from bench.cli.options import (
    RESULTS,
    CacheFolder,
    Device,
    Json,
    Root,
    resolve_cache,
    resolve_root,
    writable_root,
)
from bench.cli.tables import bar, profile_table
from bench.errors import MissingExtraError, RunFailedError
from bench.profiles.promptwise import PROFILES
from bench.profiles.sections import section_names
from bench.results.reference_record import (
    FOLDER,
    Band,
    Reference,
    ReferenceRecord,
    read_reference,
    reference_path,
)
from bench.results.store import write_atomically
from bench.tasks.registry import find_task
from bench.tasks.spec import Task

if TYPE_CHECKING:
    from bench.evaluation.reference import StoredReference

reference = plain_typer(name="reference", help="Measure, verify and show references.")

TaskName = Annotated[str, typer.Argument(help="Task, by name or task.toml.")]
Exact = Annotated[
    bool, typer.Option("--exact", help="Use the exact linear response throughout.")
]


@reference.command()
def compute(
    task: TaskName,
    device: Device = "cpu",
    exact: Exact = False,
    cache: CacheFolder = None,
    root: Root = None,
) -> None:
    """Measure the reference of a task; the same command continues after a stop."""
    folder = resolve_root(root)
    found = find_task(task, root=folder)
    path = reference_path(found, root=folder)
    if path.is_relative_to(folder / FOLDER):
        writable_root(root)
    kept = resolve_cache(cache)
    stored = _measure(found, device=device, exact=exact, cache=kept)
    from bench.evaluation.reference import write_reference

    write_reference(stored, path)
    print(path)


@reference.command()
def verify(task: TaskName, device: Device = "cpu", root: Root = None) -> None:
    """Measure a reference again and compare it with the stored one."""
    folder = resolve_root(root)
    found = find_task(task, root=folder)
    stored = read_reference(found, root=folder)
    with tempfile.TemporaryDirectory() as anew:  # nothing of an earlier run
        again = _measure(
            found,
            device=device,
            exact=stored.record.from_exact,
            cache=Cache(Path(anew)),
        )
    from bench.evaluation.reference import compare_references

    problems = compare_references(stored, again)
    if problems:
        raise RunFailedError(
            f"The reference of '{found.id}' was not reproduced:\n  "
            + "\n  ".join(problems)
        )
    print(f"{found.id}: reproduced within tolerance")


@reference.command()
def show(
    task: TaskName,
    as_json: Json = False,
    out: Annotated[Path, typer.Option(help="Folder for the plot.")] = RESULTS
    / "references",
    root: Root = None,
) -> None:
    """Print a reference as tables with bars and draw it."""
    folder = resolve_root(root)
    found = find_task(task, root=folder)
    stored = read_reference(found, root=folder)
    if as_json:
        print(stored.record.model_dump_json(indent=2))
    else:
        _print_reference(found, stored.record)
    path = out / f"{found.id}.png"
    write_atomically(path, _draw(found, stored))
    typer.echo(f"The plot is in {path}", err=True)


def _measure(
    task: Task, *, device: str, exact: bool, cache: Cache
) -> "StoredReference":
    try:
        from bench.evaluation.reference import compute_reference
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", extra="run") from None
    with progress_display() as titled:
        return compute_reference(
            task, device=device, exact=exact, cache=cache, stage=titled(task.id)
        )


def _print_reference(task: Task, record: ReferenceRecord) -> None:
    sections = section_names(task.spec.model.blocks)
    profiles = [
        ("emergence (gain)", np.array(record.gain.mean)),
        ("composition", np.array(record.composition_mean)),
    ]
    write_out(
        f"{task.id}, version {task.spec.version}, {record.protocol}",
        f"{record.prompts} prompts, strength {record.regime.strength:g}\n",
        profile_table(sections, profiles),
        "\nInduction signature after each section\n",
        _signature_table(("embeddings", *sections), record.signature),
    )
    _print_gates(record)
    print("\nSplit-half reliability and ceiling (prompt noise only)")
    for name in PROFILES:
        print(f"  {name}: {record.reliability[name]:.4f}, {record.ceiling[name]:.4f}")
    sys.stdout.flush()


def _signature_table(points: Sequence[str], signature: Band) -> Table:
    found = table("residual after", "signature", "95 %", "")
    rows = zip(points, signature.mean, signature.lower, signature.upper, strict=True)
    for name, mean, low, high in rows:
        spread = f"[{low:.3f}, {high:.3f}]"
        drawn = bar(mean, full=max(signature.mean))
        found.add_row(name, f"{mean:.3f}", spread, drawn)
    return found


def _print_gates(record: ReferenceRecord) -> None:
    print("\nGates")
    for gate in record.gates:
        sign = ">=" if gate.at_least else "<="
        bounds = gate.interval
        spread = "" if bounds is None else f" [{bounds[0]:.3f}, {bounds[1]:.3f}]"
        required = f"{sign} {gate.threshold:<6g}"
        print(f"  {gate.measured:10.4g} {required} {gate.meaning}{spread}")


def _draw(task: Task, stored: Reference) -> bytes:
    try:
        from bench.plots.reference_plot import ReferenceView, draw_reference
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "matplotlib", extra="run") from None
    record = stored.record
    bands = {
        name: np.array([band.mean, band.lower, band.upper])
        for name, band in (("signature", record.signature), ("gain", record.gain))
    }
    return draw_reference(
        ReferenceView(
            title=f"{task.id}: {record.protocol} on {record.prompts} prompts",
            sections=section_names(task.spec.model.blocks),
            signature=bands["signature"],
            gain=bands["gain"],
            composition=np.array(record.composition_mean),
            composition_check=np.array(record.composition_resample),
            strengths=np.array(record.regime.strengths),
            responses=np.array(record.regime.responses),
            window=(record.regime.lowest, record.regime.highest),
            strength=record.regime.strength,
        )
    )
