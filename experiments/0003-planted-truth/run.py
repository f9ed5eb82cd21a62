"""Compare what the protocol measures with what was planted, over many seeds.

Question and answer are in ``README.md`` beside this file. Run

    python experiments/0003-planted-truth/run.py --out OUT

One JSON file a model is kept in ``OUT/cells``, so the same command continues after an
interruption; ``OUT/results.json`` and the picture hold them all.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from bench.models.planted.build import build_planted
from bench.perturbation.layout import lay_out, no_progress
from bench.perturbation.measurement import copy_ratio, excess
from bench.perturbation.replacements import mean_of_others
from bench.perturbation.stages import (
    Arrays,
    ablated_signatures,
    full_response,
    plain_behaviour,
)
from bench.profiles.promptwise import PROFILES, PromptwiseReference
from bench.scores.nulls import ANALYTIC
from bench.scores.overlap import overlap
from bench.tasks.drawing import draw_prompts
from bench.tasks.planted import ARCHITECTURES, PlantedRecipe, draw_placement

MEASURED = 8
"""Prompts measured; writes are replaced by their means over 16 others."""
STRENGTH = 1e-3
Found = dict[str, Any]


def measure(architecture: str, seed: int, *, blocks: int) -> Found:
    """Measure one planted model; odd seeds have two copying sections."""
    recipe = PlantedRecipe(seed=seed, redundant=seed % 2 == 1)
    model = build_planted(recipe, architecture=architecture, blocks=blocks)
    drawn = draw_prompts(recipe.prompts(discovery=2, reference=17))
    every = lay_out(
        model, [p for p in drawn if p.split == "reference"], seed=0, chunk=4
    )
    means = mean_of_others(every)
    bench = every.first(MEASURED)
    response = full_response(bench, strength=STRENGTH, progress=no_progress)
    ablated = ablated_signatures(bench, means, strength=STRENGTH, progress=no_progress)
    reference = PromptwiseReference(
        gain=excess(response, "gain"),
        signature=excess(response, "relative")[:, -1],
        ablated=ablated["signature"],
    )
    growth = plain_behaviour(bench, progress=no_progress)["norm_growth"]
    truth = draw_placement(recipe, blocks=blocks).truth(2 * blocks)
    profiles = {
        name: compare(reference.profile(name), truth[name], growth) for name in PROFILES
    }
    facts = {"architecture": architecture, "seed": seed, "blocks": blocks}
    return facts | {"ratios": ratios(response)} | profiles


def ratios(response: Arrays) -> dict[str, float | None]:
    """Divide the copy-site response by the controls', at the largest signature."""
    controls = {
        "all": ("repeated", "control"),
        "far": ("repeated", "far"),
        "prompts": ("control", "copy"),
    }
    found = {kind: copy_ratio(response, where) for kind, where in controls.items()}
    # where rounding leaves no response at all there is no ratio
    return {k: None if np.isnan(ratio) else ratio for k, ratio in found.items()}


def compare(found: np.ndarray, truth: np.ndarray, growth: np.ndarray) -> Found:
    """Compare a measured profile, and the nulls, with what was planted."""
    planted = np.flatnonzero(truth)
    nulls = {name: build(len(truth)) for name, build in ANALYTIC.items()}
    scores = {
        name: overlap(null, found).value or 0.0
        for name, null in (nulls | {"norm-growth": growth}).items()
    }
    best = max(scores, key=lambda name: scores[name])
    return {
        "overlap": overlap(found, truth).value or 0.0,
        "pearson": float(np.corrcoef(found, truth)[0, 1]),
        "right_sections_on_top": set(np.argsort(-found)[: len(planted)])
        == set(planted),
        "best_null": [best, scores[best]],
    }


def summarise(rows: list[Found]) -> Found:
    """Take the worst model of each architecture in every respect."""
    table: Found = {}
    for architecture in ARCHITECTURES:
        own = [row for row in rows if row["architecture"] == architecture]
        if not own:
            continue
        table[architecture] = {"models": len(own)} | {
            name: {
                "least_overlap": min(row[name]["overlap"] for row in own),
                "least_pearson": min(row[name]["pearson"] for row in own),
                "all_on_top": all(row[name]["right_sections_on_top"] for row in own),
                "largest_null": max(row[name]["best_null"][1] for row in own),
                "median_null": float(
                    np.median([row[name]["best_null"][1] for row in own])
                ),
            }
            for name in PROFILES
        }
        table[architecture] |= {
            f"least_ratio_{kind}": min(row["ratios"][kind] or np.inf for row in own)
            for kind in ("all", "far", "prompts")
        }
    return table


def draw(rows: list[Found], path: Path) -> None:
    """Draw every model's overlap with the truth, and the best null's."""
    mpl.use("Agg")
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for axes, name in zip(panels, PROFILES, strict=True):
        for place, architecture in enumerate(ARCHITECTURES):
            own = [row[name] for row in rows if row["architecture"] == architecture]
            spread = place + np.linspace(-0.3, 0.3, len(own))
            nulls = [row["best_null"][1] for row in own]
            axes.plot(spread, [row["overlap"] for row in own], "o", ms=3, color="C0")
            axes.plot(spread, nulls, "x", ms=3, color="grey")
        axes.axhline(0.95, color="C0", lw=0.8)
        axes.set_xticks(range(len(ARCHITECTURES)), ARCHITECTURES)
        axes.set_ylim(0, 1.02)
        axes.set_title(name, fontsize=9)
    panels[0].set_ylabel("overlap: protocol with truth (o),\nbest null (x)")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def write(path: Path, value: object) -> None:
    """Write JSON; a kill leaves the old file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n")
    partial.replace(path)


def main() -> None:
    """Measure what is missing, summarise and draw all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--architectures", nargs="*", default=ARCHITECTURES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [
        (architecture, seed)
        for architecture in arguments.architectures
        for seed in range(arguments.seeds)
    ]
    for architecture, seed in track(wanted, console=Console(stderr=True)):
        name = f"{architecture}-{arguments.blocks}-{seed:02d}.json"
        cell = arguments.out / "cells" / name
        if not cell.is_file():
            write(cell, measure(architecture, seed, blocks=arguments.blocks))
    cells = sorted((arguments.out / "cells").glob("*.json"))
    rows = [json.loads(cell.read_text()) for cell in cells]
    write(arguments.out / "results.json", {"worst": summarise(rows), "models": rows})
    draw(rows, arguments.out / "truth.png")


if __name__ == "__main__":
    main()
