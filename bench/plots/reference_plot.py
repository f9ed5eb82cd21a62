"""A reference at a glance: signature by depth, profiles by section, strengths.

Shapes: N = S + 1 residual points, S sections, E strengths.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import (
    ATTENTION,
    CONTROL,
    MLP,
    REFERENCE,
    label_sections,
    section_colours,
    to_png,
)


@dataclass(frozen=True)
class ReferenceView:
    """What the plot of a reference shows."""

    title: str
    sections: tuple[str, ...]
    signature: Float[np.ndarray, "three N"]
    """Mean, lower and upper bound."""
    gain: Float[np.ndarray, "three S"]
    """Mean, lower and upper bound."""
    composition: Float[np.ndarray, " S"]
    composition_check: Float[np.ndarray, " S"]
    """By resampling."""
    strengths: Float[np.ndarray, " E"]
    responses: Float[np.ndarray, "E N"]
    window: tuple[float, float]
    """Lowest and highest strength of the universal regime."""
    strength: float


def draw_reference(view: ReferenceView) -> bytes:
    """Draw a reference as a PNG file of four panels."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(view.title, fontsize=11)
    grid = figure.subplots(2, 2)
    _signature(grid[0, 0], view)
    _strengths(grid[0, 1], view)
    _emergence(grid[1, 0], view)
    _composition(grid[1, 1], view)
    for axes in grid.flat:
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    return to_png(figure)


def _signature(axes: Axes, view: ReferenceView) -> None:
    mean, lower, upper = view.signature
    points = np.arange(len(mean))
    axes.fill_between(points, lower, upper, color=ATTENTION, alpha=0.25, lw=0)
    axes.plot(points, mean, "o-", color=ATTENTION, ms=3)
    axes.axhline(0, color="black", lw=0.5)
    names = ("embeddings", *(f"after {name}" for name in view.sections))
    label_sections(axes, names)
    axes.set_title("Induction signature by depth, 95 % band", fontsize=9, loc="left")
    axes.set_ylabel("excess relative response", fontsize=8)


def _strengths(axes: Axes, view: ReferenceView) -> None:
    axes.axvspan(*view.window, color=CONTROL, alpha=0.15, lw=0, label="regime")
    shown = np.unique(np.linspace(1, view.responses.shape[1] - 1, 5).astype(int))
    for point in shown:
        label = f"after {view.sections[point - 1]}"
        axes.plot(view.strengths, view.responses[:, point], "o-", ms=3, label=label)
    axes.axvline(view.strength, color=REFERENCE, lw=1, ls="--", label="measured at")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=7, frameon=False, loc="upper center", ncols=2)
    axes.set_ylim(top=1.35 * view.responses.max())
    axes.set_xlabel("strength", fontsize=8)
    axes.set_title("Copy-site response against strength", fontsize=9, loc="left")


def _emergence(axes: Axes, view: ReferenceView) -> None:
    mean, lower, upper = view.gain
    position = np.arange(len(mean))
    errors = np.stack([mean - lower, upper - mean])
    axes.bar(
        position, mean, yerr=errors, color=section_colours(view.sections), capsize=2
    )
    axes.axhline(0, color="black", lw=0.5)
    label_sections(axes, view.sections)
    axes.set_title("Emergence: gain of each section", fontsize=9, loc="left")
    axes.set_ylabel("relative response added", fontsize=8)


def _composition(axes: Axes, view: ReferenceView) -> None:
    position = np.arange(len(view.composition))
    axes.bar(position, view.composition, color=section_colours(view.sections))
    axes.plot(position, view.composition_check, "x", color=REFERENCE, label="resample")
    axes.bar(0, 0, color=ATTENTION, label="attention, mean")
    axes.bar(0, 0, color=MLP, label="MLP, mean")
    axes.axhline(0, color="black", lw=0.5)
    axes.legend(fontsize=7, frameon=False)
    label_sections(axes, view.sections)
    axes.set_title(
        "Composition: signature lost when a section is ablated", fontsize=9, loc="left"
    )
    axes.set_ylabel("share of the signature", fontsize=8)
