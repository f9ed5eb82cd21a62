"""Pictures of the comparisons."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

Found = dict[str, Any]
RATIO_GATE = 3.0


def draw_all(out: Path, results: Found) -> None:
    """Draw every picture that there are numbers for."""
    mpl.use("Agg")
    draw_strength(out / "strength.png", results)
    draw_depth(out / "depth.png", results)
    draw_composition(out / "composition.png", results)


def draw_strength(path: Path, results: Found) -> None:
    """Draw deviation of the response and overlap of the gain against strength."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, sweep in results["sweeps"].items():
        if not sweep:
            continue
        strengths = [row["strength"] for row in sweep]
        worst = [row["deviation_of_response"] for row in sweep]
        axes[0].loglog(strengths, worst, "o-", ms=3, label=name)
        found = [row["gain"]["overlap"] or 0.0 for row in sweep]
        axes[1].semilogx(strengths, found, "o-", ms=3, label=name)
        bfloat16 = [
            (float(row["label"]), row["gain"]["overlap"] or 0.0)
            for row in results["comparisons"]
            if row["subject"] == name and row["axis"] == "bfloat16"
        ]
        if bfloat16:
            colour = axes[1].lines[-1].get_color()
            axes[1].semilogx(*zip(*sorted(bfloat16), strict=True), ":", color=colour)
    axes[0].axhline(0.02, color="grey", lw=0.8)
    axes[0].set_ylabel("largest deviation of the response")
    axes[1].set_ylabel("overlap of gain with the exact one")
    axes[1].set_title("dotted: bfloat16 against float32 at 1e-3", fontsize=8)
    for axis in axes:
        axis.set_xlabel("strength")
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_depth(path: Path, results: Found) -> None:
    """Draw the ratio to control sites, all and far ones, against the blocks."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    rows = [row for row in results["gates"] if row["axis"] == "depth"]
    for name in PLANTED:
        chosen = [r for r in rows if r["subject"].split("-")[1] == name]
        _points(axes[0], chosen, "ratio_sites", f"planted {name}")
    for label in ("baseline", "untrained"):
        chosen = [r for r in results["gates"] if r["axis"] == label]
        name = "trained" if label == "baseline" else "untrained"
        _points(axes[0], chosen, "ratio_sites", name)
    _far(axes[1], results)
    for axis in axes:
        axis.axhline(RATIO_GATE, color="grey", lw=0.8)
        axis.set_yscale("log")
        axis.set_xlabel("blocks")
    axes[0].set_ylabel("copy sites / control sites")
    axes[0].set_title("all control sites (the gate)", fontsize=9)
    axes[1].set_title("control sites over N/2 from the source", fontsize=9)
    axes[0].legend(fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


PLANTED = {"llama": "C0o", "gpt2": "C1o", "gemma2": "C2o"}
STYLES = {f"planted {name}": style for name, style in PLANTED.items()}
STYLES |= {"trained": "k^", "untrained": "rx"}


def _points(axis: Axes, rows: list[Found], key: str, label: str) -> None:
    if rows:
        blocks, ratios = ([row[k] for row in rows] for k in ("blocks", key))
        axis.plot(blocks, ratios, STYLES[label], ms=5, label=label)


def _far(axis: Axes, results: Found) -> None:
    """Draw what ``distances.py`` measured."""
    blocks = {row["subject"]: row["blocks"] for row in results["gates"]}
    for name, found in results.get("distances", {}).items():
        parts = name.split("-")
        planted = parts[0] == "planted"
        depth = int(parts[2]) if planted else blocks.get(name)
        if depth is not None:
            label = f"planted {parts[1]}" if planted else "trained"
            _points(axis, [found | {"blocks": depth}], "ratio_far", label)


def draw_composition(path: Path, results: Found) -> None:
    """Draw composition by mean, resampling and pooled mean for each model."""
    names = [n for n, f in results["baselines"].items() if "pooled" in f["composition"]]
    size = (9, 1.6 * len(names))
    figure, axes = plt.subplots(
        len(names), 1, figsize=size, layout="constrained", squeeze=False
    )
    for axis, name in zip(axes[:, 0], names, strict=True):
        kinds = results["baselines"][name]["composition"]
        sections = np.arange(len(kinds["mean"]))
        for shift, kind in enumerate(("mean", "resample", "zero", "pooled")):
            place = sections + 0.2 * (shift - 1.5)
            axis.bar(place, np.clip(kinds[kind], 0, 1), 0.2, label=kind)
        labels = [f"{'mlp' if s % 2 else 'attn'} {s // 2}" for s in sections]
        axis.set_xticks(sections, labels, rotation=60, fontsize=6)
        axis.set_title(name, fontsize=8, loc="left")
        axis.set_ylim(0, 1.05)
    axes[0, 0].legend(fontsize=7, ncols=4, loc="upper right")
    figure.savefig(path, dpi=110)
    plt.close(figure)
