"""A method's attribution over the reference's profiles."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import METHOD, REFERENCE, label_sections, to_png


@dataclass(frozen=True)
class ProfilePanel:
    """One profile of the reference, as shares, with what the caption says of it."""

    reference: Float[np.ndarray, " S"]
    caption: str


def draw_attribution(
    attribution: Float[np.ndarray, " S"] | None,
    panels: Mapping[str, ProfilePanel],
    *,
    sections: tuple[str, ...],
    title: str,
) -> bytes:
    """Draw an attribution, scaled to shares, over each profile of the reference.

    Args:
        attribution: Shares of the attribution; None if it has none.
        panels: Profile name to what is shown of it.
        sections: Names of the sections.
        title: The figure's title.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(8, 2.6 * len(panels) + 0.6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
    for axes, (name, panel) in zip(grid[:, 0], panels.items(), strict=True):
        _draw_panel(axes, attribution, panel)
        axes.set_title(f"{name}: {panel.caption}", fontsize=9, loc="left")
    label_sections(grid[-1, 0], sections)
    grid[0, 0].legend(fontsize=8, frameon=False)
    return to_png(figure)


def _draw_panel(
    axes: Axes, attribution: Float[np.ndarray, " S"] | None, panel: ProfilePanel
) -> None:
    position = np.arange(len(panel.reference))
    axes.bar(position, panel.reference, color=REFERENCE, alpha=0.45, label="reference")
    if attribution is not None:
        axes.plot(position, attribution, "o-", color=METHOD, ms=4, lw=1, label="method")
    axes.set_ylabel("share", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
