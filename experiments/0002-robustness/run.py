"""Vary the choices of the reference protocol one at a time and compare.

Question, answer and numbers are in ``README.md`` beside this file. Run

    python experiments/0002-robustness/run.py --out OUT

Every cell is stored under ``OUT/cells`` and skipped when it is there, so the same
command continues after an interruption. ``--summarise`` only compares and draws what is
there.
"""

import argparse
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from ablation import ablated_readings, replaced_writes, shrinkage
from distances import response_by_distance
from measuring import (
    joint_composition,
    measure_cell,
    plain,
    prepare,
    read_response,
    take,
)
from plots import draw_all
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn
from settings import (
    Cell,
    PlantedName,
    Setting,
    gate_cells,
    planted_cells,
    trained_cells,
)
from summary import summarise

from bench.models.architectures.registry import find_architecture
from bench.models.planted.build import build_planted
from bench.models.subject import SubjectModel
from bench.models.weights import load_folder
from bench.perturbation.layout import no_progress
from bench.perturbation.replacements import given
from bench.perturbation.stages import ablated_signatures, full_response
from bench.tasks.planted import PlantedRecipe

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Folders = dict[str, Path]


def default_models() -> list[str]:
    """Return the models that come with the repository, as name=path."""
    root = Path(__file__).resolve().parents[2] / "tasks" / "models"
    return [f"{path.name}={path}" for path in sorted(root.iterdir())]


def named_folders(texts: list[str]) -> Folders:
    """Read name=path arguments."""
    pairs = (text.split("=", 1) for text in texts)
    return {name: Path(path) for name, path in pairs}


@lru_cache(maxsize=4)
def load(name: str, folder: Path | None, dtype: str) -> SubjectModel:
    """Load a trained model from a folder, or build a planted one from its name."""
    if folder is None:
        wanted = PlantedName.parse(name)
        return build_planted(
            PlantedRecipe(seed=wanted.seed, redundant=wanted.redundant),
            architecture=wanted.architecture,
            blocks=wanted.blocks,
        )
    module = load_folder(folder).to(DTYPES[dtype])
    module.eval()
    module.requires_grad_(False)
    return SubjectModel(module, find_architecture(module.config.model_type))


def all_cells(models: Folders, gates_only: Folders) -> Iterator[Cell]:
    """List all cells, the most important first."""
    listed = [
        found
        for index, name in enumerate(models)
        for found in trained_cells(name, rank=index)
    ]
    listed += [found for name in gates_only for found in gate_cells(name)]
    listed += list(planted_cells())
    yield from (cell for _, cell in sorted(listed, key=lambda found: found[0]))


def measure_all(cells: list[Cell], folders: Folders, *, out: Path) -> None:
    """Measure every cell that is not stored yet."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress("{task.description}", *columns, console=console) as progress:
        bar = progress.add_task("cells", total=len(cells))
        for cell in cells:
            progress.update(bar, description=cell.key)
            path = out / f"{cell.key}.json"
            if not path.exists():
                folder = folders.get(cell.subject)
                model = load(cell.subject, folder, cell.setting.dtype)
                found = measure_cell(model, cell.setting)
                write(path, {"cell": cell.as_dict(), "found": found})
            progress.advance(bar)


def check_building_blocks(model: SubjectModel, *, path: Path) -> None:
    """Compare this experiment's code with the protocol's stages on eight prompts."""
    if path.exists():
        return
    setting = Setting(prompts=8)
    bench = prepare(model, setting)
    writes = replaced_writes(bench, "mean")
    sections = [(section,) for section in range(model.n_sections)]
    found = ablated_readings(bench, writes, strength=1e-3, ablations=sections)
    excess = found[..., 0] - found[..., 1]
    stage = ablated_signatures(
        bench, given(writes), strength=1e-3, progress=no_progress
    )
    response = full_response(bench, strength=1e-3, progress=no_progress)
    ours = measure_cell(model, setting)
    gain = response["repeated_gain"] - response["control_gain"]
    theirs = (gain[:, 0] - gain[:, 1]).mean(axis=0)
    difference = np.abs((excess[:, 0] - excess[:, 1]).T - stage["signature"]).max()
    write(
        path,
        {
            "largest_difference_of_ablated_signatures": float(difference),
            "largest_difference_of_gains": float(np.abs(theirs - ours["gain"]).max()),
        },
    )


def diagnose(model: SubjectModel, *, baseline: Path, path: Path) -> None:
    """Look closer at the sections at which mean and resample differ most."""
    if path.exists():
        return
    found = json.loads(baseline.read_text())["found"]["composition"]
    gap = np.array(found["resample"]["protocol"]) - found["mean"]["protocol"]
    first = sorted(np.argsort(-np.abs(gap))[:3].tolist())
    bench = prepare(model, Setting(prompts=20))
    single = [(s,) for s in first]
    pairs = {(*sorted((s, t)),) for s in first for t in range(len(gap)) if s != t}
    sets = [*single, *sorted(pairs)]
    read = read_response(bench, 1e-3)
    facts: dict[str, object] = {
        "gap": gap,
        "sections": first,
        "mean_write_over_write": shrinkage(bench),
        "previous_gain": take(read, "gain", "repeated", "previous").mean(axis=0),
        "sets": sets,
        "together": joint_composition(bench, "mean", sets, strength=1e-3),
    }
    for kind in ("mean", "rescaled", "resample", "resample-2", "zero"):
        facts[kind] = joint_composition(bench, kind, single, strength=1e-3)
    write(path, facts)


def measure_distances(folders: Folders, *, path: Path) -> None:
    """Look at control sites by distance, on all trained and some planted models."""
    if path.exists():
        return
    names = [
        str(PlantedName(architecture, blocks, 2))
        for architecture in ("llama", "gpt2", "gemma2")
        for blocks in (6, 12, 16)
    ]
    found = {
        name: response_by_distance(load(name, folders.get(name), "float32"))
        for name in (*folders, *names)
    }
    write(path, found)


def write(path: Path, value: object) -> None:
    """Write JSON; a kill leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(plain(value)) + "\n")
    partial.replace(path)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    named = {"nargs": "*", "metavar": "NAME=PATH"}
    parser.add_argument("--models", default=default_models(), **named)
    parser.add_argument("--gates-only", default=[], **named)
    parser.add_argument("--diagnose", default=[], nargs="*", metavar="NAME")
    parser.add_argument("--summarise", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Measure, compare, draw."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    models = named_folders(arguments.models)
    gates_only = named_folders(arguments.gates_only)
    folders = models | gates_only
    stored = arguments.out / "cells"
    if not arguments.summarise:
        first = next(iter(models))
        check_building_blocks(
            load(first, folders[first], "float32"), path=arguments.out / "check.json"
        )
        cells = list(all_cells(models, gates_only))
        measure_all(
            [c for c in cells if c.axis == "baseline" and c.subject in models],
            folders,
            out=stored,
        )
        for name in arguments.diagnose:
            diagnose(
                load(name, folders[name], "float32"),
                baseline=stored / f"{name}--baseline--baseline.json",
                path=arguments.out / f"diagnosis-{name}.json",
            )
        measure_all(cells, folders, out=stored)
        measure_distances(folders, path=arguments.out / "distances.json")
    results = summarise(arguments.out)
    text = json.dumps(plain(results), indent=1) + "\n"
    (arguments.out / "results.json").write_text(text)
    draw_all(arguments.out, results)


if __name__ == "__main__":
    main()
