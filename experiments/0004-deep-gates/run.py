"""Look at the gates in deep, untrained and trained models.

Question and answer are in ``README.md`` beside this file. Run

    python experiments/0004-deep-gates/run.py --out OUT [--models NAME=PATH ...]

One JSON file a model is kept in ``OUT/cells``, so the same command continues after an
interruption; ``OUT/results.json`` and the picture hold them all.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from bench.models.architectures.registry import find_architecture
from bench.models.loading import untrained_like
from bench.models.planted.build import build_planted
from bench.models.subject import SubjectModel
from bench.models.weights import load_folder
from bench.perturbation.layout import Bench, lay_out, no_progress
from bench.perturbation.measurement import copy_ratio, excess, peak
from bench.perturbation.regime import LARGEST_CHANGE, STRENGTHS
from bench.perturbation.stages import full_response, strength_sweep
from bench.tasks.drawing import RepeatedRandom, draw_prompts
from bench.tasks.planted import ARCHITECTURES, PlantedRecipe
from bench.tasks.registry import data_root

STRENGTH = 1e-3
Found = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One model on prompts of one period."""

    name: str
    period: int = 16
    prompts: int = 8
    path: str | None = None
    """Folder of a trained model."""
    untrained_seed: int | None = None
    """Draw this model's weights anew."""
    planted: tuple[str, int, int] | None = None
    """Architecture, blocks and seed of a planted model."""
    sweep: bool = False
    """Whether to measure the response at every strength."""

    @property
    def key(self) -> str:
        """Name of the cell's file."""
        return f"{self.name}-N{self.period}"


def cells(folders: dict[str, str]) -> Iterator[Cell]:
    """List all cells: trained, untrained, and planted ones of growing depth."""
    for name, path in folders.items():
        for period in (8, 16, 32):
            yield Cell(name, period=period, path=path)
            for seed in range(3):
                label = f"{name}-untrained-{seed}"
                yield Cell(label, period=period, path=path, untrained_seed=seed)
    for architecture in ARCHITECTURES:
        for blocks, prompts in ((8, 8), (16, 8), (24, 4), (48, 2)):
            for seed in range(3):
                yield Cell(
                    f"planted-{architecture}-{blocks}-{seed}",
                    prompts=prompts,
                    planted=(architecture, blocks, seed),
                    sweep=True,
                )


def load(cell: Cell) -> SubjectModel:
    """Load or build a cell's model."""
    if cell.planted is not None:
        architecture, blocks, seed = cell.planted
        recipe = PlantedRecipe(seed=seed)
        return build_planted(recipe, architecture=architecture, blocks=blocks)
    module = load_folder(Path(str(cell.path))).eval().requires_grad_(False)
    model = SubjectModel(module, find_architecture(module.config.model_type))
    if cell.untrained_seed is not None:
        return untrained_like(model, seed=cell.untrained_seed)
    return model


def recipe(cell: Cell) -> RepeatedRandom:
    """Return how a cell's prompts are drawn."""
    if cell.planted is not None:
        return PlantedRecipe(seed=cell.planted[2]).prompts(discovery=2, reference=17)
    return RepeatedRandom(
        kind="repeated-random",
        seed=7,
        period=cell.period,
        bos=0,
        first_token=1,
        last_token=128,
        discovery=2,
        reference=17,
    )


def measure(cell: Cell) -> Found:
    """Measure the ratios of a cell and, where asked for, its strengths."""
    drawn = [p for p in draw_prompts(recipe(cell)) if p.split == "reference"]
    bench = lay_out(load(cell), drawn[: cell.prompts], seed=0, chunk=2)
    found = asdict(cell) | ratios(bench)
    if cell.sweep:
        sweep = strength_sweep(bench, (*STRENGTHS, None), progress=no_progress)
        responses = sweep["copy_response"]
        found["responses"] = responses.tolist()
    return found


def ratios(bench: Bench) -> Found:
    """Divide the copy-site response by the controls', at the largest signature."""
    response = full_response(bench, strength=STRENGTH, progress=no_progress)
    signature, point = excess(response, "relative").mean(axis=0), peak(response)
    found: Found = {"peak": point, "signature": signature.tolist(), "ratios": None}
    if point > 0:  # at the embeddings no site but the source responds
        controls = {
            "all": ("repeated", "control"),
            "far": ("repeated", "far"),
            "prompts": ("control", "copy"),
        }
        values = {kind: copy_ratio(response, at) for kind, at in controls.items()}
        # where rounding leaves no response at all there is no ratio
        found["ratios"] = {k: None if np.isnan(v) else v for k, v in values.items()}
    return found


def windows(responses: np.ndarray) -> Found:
    """Find the regime with deviations relative to different floors."""
    floors = {
        "2% of final": lambda middle: 0.02 * middle[-1],
        "10% of final": lambda middle: 0.1 * middle[-1],
        "10% of largest": lambda middle: 0.1 * middle.max(),
        "20% of largest": lambda middle: 0.2 * middle.max(),
    }
    exact = responses[-1]
    found: Found = {}
    for name, floor in floors.items():
        window = widest(responses[:-1], floor)
        scale = np.maximum(exact, floor(exact))
        deviations = (np.abs(responses[:-1] - exact) / scale).max(axis=1)
        found[name] = window | {"deviations": deviations.tolist()}
    return found


def widest(responses: np.ndarray, floor: Any) -> Found:
    """Find the widest window of strengths in which no point changes by over 5 %."""
    best: Found = {"decades": 0.0, "change": 0.0, "lowest": None}
    for low in range(len(responses)):
        for high in range(low + 1, len(responses)):
            rows = responses[low : high + 1]
            middle = (rows.max(axis=0) + rows.min(axis=0)) / 2
            scale = np.maximum(middle, floor(middle))
            change = float((np.ptp(rows, axis=0)[1:] / scale[1:]).max())
            decades = float(np.log10(STRENGTHS[high] / STRENGTHS[low]))
            if change <= LARGEST_CHANGE and decades > best["decades"] + 1e-9:
                lowest = STRENGTHS[low]
                best = {"decades": decades, "change": change, "lowest": lowest}
    return best


def draw(rows: list[Found], path: Path) -> None:
    """Draw the ratios to control sites and the regime's width against depth."""
    mpl.use("Agg")
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    planted = [row for row in rows if row["planted"]]
    for colour, architecture in enumerate(ARCHITECTURES):
        own = [row for row in planted if row["planted"][0] == architecture]
        depth = [row["planted"][1] for row in own]
        for kind, mark in (("all", "x"), ("far", "o")):
            values = [row["ratios"][kind] or np.nan for row in own]
            look = {"ms": 4, "color": f"C{colour}", "label": f"{architecture}, {kind}"}
            panels[0].loglog(depth, values, mark, **look)
        for kind, mark in (("2% of final", "x"), ("20% of largest", "o")):
            values = [row["windows"][kind]["decades"] for row in own]
            place = np.array(depth) * (1 + 0.05 * (colour - 1))
            label = f"{architecture}, {kind}"
            panels[1].semilogx(
                place, values, mark, ms=4, color=f"C{colour}", label=label
            )
    for axes, gate, title in (
        (panels[0], 3, "copy site over control sites"),
        (panels[1], 2, "decades of the universal regime"),
    ):
        axes.axhline(gate, color="grey", lw=0.8)
        axes.set_xticks([8, 16, 24, 48], ["8", "16", "24", "48"])
        axes.minorticks_off()
        axes.set_xlabel("blocks")
        axes.set_title(title, fontsize=9)
        axes.legend(fontsize=6)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def rounded(value: Any) -> Any:
    """Keep five digits of every number."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write(path: Path, value: object) -> None:
    """Write JSON; a kill leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value) + "\n")
    partial.replace(path)


def main() -> None:
    """Measure what is missing, draw all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="*", default=[], metavar="NAME=PATH")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    shipped = sorted((data_root() / "tasks" / "models").iterdir())
    folders = {path.name: str(path) for path in shipped}
    folders |= dict(given.split("=", 1) for given in arguments.models)
    for cell in track(list(cells(folders)), console=Console(stderr=True)):
        path = arguments.out / "cells" / f"{cell.key}.json"
        if not path.is_file():
            write(path, measure(cell))
    stored = sorted((arguments.out / "cells").glob("*.json"))
    rows = [json.loads(path.read_text()) | {"path": None} for path in stored]
    for row in rows:
        if row["sweep"]:
            row["windows"] = windows(np.array(row["responses"]))
    write(arguments.out / "results.json", rounded(rows))
    draw(rows, arguments.out / "depth.png")


if __name__ == "__main__":
    main()
