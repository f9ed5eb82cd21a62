"""Compare stored cells with their model's baseline.

Shapes: S sections.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from settings import PlantedName

from bench.profiles.promptwise import PromptwiseReference, composition
from bench.scores.correlation import pearson
from bench.scores.halves import ceiling, reliability
from bench.scores.overlap import overlap
from bench.tasks.planted import PlantedRecipe, draw_placement

Found = dict[str, Any]
BASELINE = "baseline"
FLOOR = 0.02
"""Of the final response; deviations in ``relative-response-1`` were relative to it."""
DRAWS = 1000
"""Bootstrap draws over prompts."""


def summarise(out: Path) -> Found:
    """Return all comparisons of the cells stored under a folder."""
    cells = [json.loads(path.read_text()) for path in sorted(out.glob("cells/*.json"))]
    baselines = {
        cell["cell"]["subject"]: cell["found"]
        for cell in cells
        if cell["cell"]["axis"] == BASELINE
    }
    varied = [cell for cell in cells if cell["cell"]["subject"] in baselines]
    results: Found = {
        "baselines": {name: _shown(found) for name, found in baselines.items()},
        "comparisons": [
            compare(cell, baselines[cell["cell"]["subject"]])
            for cell in varied
            if cell["cell"]["axis"] not in (BASELINE, "untrained")
        ],
        "sweeps": {name: _sweep(varied, name) for name in baselines},
        "emergence_definitions": {
            name: {
                key: similarity(found[key], found["gain"])
                for key in ("increment", "additive", "gain_prompts", "gain_sites")
            }
            for name, found in baselines.items()
        },
        "ablations": {name: _ablations(found) for name, found in baselines.items()},
        "agreement": {name: _agreement(found) for name, found in baselines.items()},
        "gates": [_gate_row(cell) for cell in cells],
        "seconds": sum(cell["found"]["seconds"] for cell in cells),
    }
    for name in (
        "check",
        "distances",
        *(path.stem for path in sorted(out.glob("diagnosis-*.json"))),
    ):
        path = out / f"{name}.json"
        if path.exists():
            results[name] = json.loads(path.read_text())
    return results


def similarity(profile: Sequence[float], baseline: Sequence[float]) -> Found:
    """Return overlap, Pearson r and the largest difference relative to the peak."""
    one, base = np.array(profile, float), np.array(baseline, float)
    return {
        "overlap": overlap(one, base).value,
        "r": pearson(one, base).value,
        "largest": float(np.abs(one - base).max() / base.max()),
    }


def compare(cell: Found, baseline: Found) -> Found:
    """Compare one cell's profiles with the baseline's."""
    found = cell["found"]
    row: Found = {key: cell["cell"][key] for key in ("subject", "axis", "label")}
    row["prompts"] = cell["cell"]["setting"]["prompts"]
    row["gain"] = similarity(found["gain"], baseline["gain"])
    row["gain_sum"] = float(np.sum(found["gain"]) / np.sum(baseline["gain"]))
    row["composition"] = {
        kind: similarity(
            np.clip(ablated["protocol"], 0, 1),
            np.clip(baseline["composition"][kind]["protocol"], 0, 1),
        )
        for kind, ablated in found["composition"].items()
    }
    return row | _gates(found)


def _gates(found: Found) -> Found:
    row = {key: found[key] for key in ("peak", "ratio_sites", "ratio_prompts")}
    row["ratio_sites_last"] = found["ratio_sites_last"]
    ablated = found["composition"]
    if {"mean", "resample"} <= ablated.keys():
        one, other = (np.array(ablated[k]["protocol"]) for k in ("mean", "resample"))
        row["agreement"] = pearson(one, other).value
        row["agreement_overlap"] = overlap(one.clip(0, 1), other.clip(0, 1)).value
        drop = np.array(ablated["resample"]["logit_drop"])
        row["check"] = pearson(one.clip(0, 1), drop).value
    return row


def _gate_row(cell: Found) -> Found:
    row = {key: cell["cell"][key] for key in ("subject", "axis", "label")}
    points = len(cell["found"]["signature"])
    row |= {"blocks": (points - 1) // 2} | _gates(cell["found"])
    if row["subject"].startswith("planted-"):
        row["overlap_with_truth"] = _overlap_with_truth(cell)
    return row


def _overlap_with_truth(cell: Found) -> float | None:
    """Return the overlap of a planted model's gain with what was planted."""
    name = PlantedName.parse(cell["cell"]["subject"])
    recipe = PlantedRecipe(seed=name.seed, redundant=name.redundant)
    truth = draw_placement(recipe, blocks=name.blocks).truth(2 * name.blocks)
    return overlap(np.array(cell["found"]["gain"]), truth["emergence"]).value


def _ablations(found: Found) -> Found:
    """Compare kinds of ablation, and choices of controls, with the mean."""
    kinds = found["composition"]
    mean = np.clip(kinds["mean"]["protocol"], 0, 1)
    rows: Found = {}
    for kind, ablated in kinds.items():
        row = similarity(np.clip(ablated["protocol"], 0, 1), mean)
        row["unclipped_r"] = pearson(
            np.array(ablated["protocol"]), np.array(kinds["mean"]["protocol"])
        ).value
        drop = np.array(kinds["resample"]["logit_drop"])
        row["r_with_resampled_logit_drop"] = pearson(
            np.clip(ablated["protocol"], 0, 1), drop
        ).value
        rows[kind] = row
    for controls in ("prompts", "sites"):
        rows[f"controls-{controls}"] = similarity(
            np.clip(kinds["mean"][controls], 0, 1), mean
        )
    return rows


def _agreement(found: Found) -> Found:
    """Return the agreement's interval over prompts, and for averaged resampling."""
    signature = np.array(found["signature_by_prompt"])
    ablated = {
        kind: np.array(ablation["ablated_by_prompt"])
        for kind, ablation in found["composition"].items()
    }
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(signature), size=(DRAWS, len(signature)))
    mean, resample = (
        composition(signature[drawn], ablated[kind][drawn])
        for kind in ("mean", "resample")
    )
    values = [pearson(a, b).value for a, b in zip(mean, resample, strict=True)]
    reference = PromptwiseReference(ablated["mean"] * 0, signature, ablated["mean"])
    row: Found = {
        "interval": np.quantile(np.array(values, float), [0.025, 0.975]),
        "halves_overlap_of_composition": ceiling(reference, "composition").value,
        "reliability_of_composition": reliability(reference, "composition").value,
        "gap": (ablated["mean"] - ablated["resample"]).mean(axis=0) / signature.mean(),
    }
    for count in (8, 16, 24):
        row[f"composition_of_{count}_prompts"] = _of_fewer(reference, count)
    if "resample-2" in ablated:
        both = (ablated["resample"] + ablated["resample-2"]) / 2
        row["two_resamplings_averaged"] = pearson(
            composition(signature, both), composition(signature, ablated["mean"])
        ).value
    return row


def _of_fewer(reference: PromptwiseReference, count: int) -> Found:
    """Compare composition averaged over fewer prompts with that over all of them."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.permutation(reference.n_prompts)[:count] for _ in range(100)])
    everything = reference.profile("composition")
    found = [
        overlap(few, everything).value
        for few in reference.profiles("composition", rows)
    ]
    return {"mean_overlap": np.mean(found), "lowest_overlap": np.min(found)}


def _sweep(cells: list[Found], name: str) -> list[Found]:
    """Compare the responses and gains at every strength with the exact ones."""
    swept = {
        cell["cell"]["setting"]["strength"]: cell["found"]
        for cell in cells
        if cell["cell"]["subject"] == name
        and cell["cell"]["axis"] in ("strength", BASELINE)
    }
    exact = swept.pop(None, None)
    if exact is None:
        return []
    responses = np.array([found["copy"] for found in swept.values()])
    worst = _deviations(responses, np.array(exact["copy"])).max(axis=1)
    return sorted(
        (
            {
                "strength": strength,
                "deviation_of_response": float(worst[row]),
                "gain": similarity(found["gain"], exact["gain"]),
                "ratio_sites": found["ratio_sites"],
                "ratio_prompts": found["ratio_prompts"],
            }
            for row, (strength, found) in enumerate(swept.items())
        ),
        key=lambda found: found["strength"],
    )


def _deviations(responses: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return deviations relative to the exact response or its floor."""
    difference = np.abs(responses - exact)
    scale = np.maximum(exact, FLOOR * exact[-1])
    return np.divide(difference, scale, out=difference, where=difference > 0)


def _shown(found: Found) -> Found:
    """Take the profiles of a baseline that readers want to see."""
    keys = ("signature", "gain", "increment", "additive", "previous", "copy")
    shown = {key: found[key] for key in (*keys, "at_control_sites")}
    shown["on_control_prompts"] = found["on_control_prompts"]
    shown["composition"] = {
        kind: ablated["protocol"] for kind, ablated in found["composition"].items()
    }
    drops = {kind: a["logit_drop"] for kind, a in found["composition"].items()}
    return shown | {"logit_drop": drops, "reliability": found["reliability"]}
