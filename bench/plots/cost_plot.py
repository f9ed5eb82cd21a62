"""Skill of methods against their cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plots.style import ATTENTION, CONTROL, METHOD, to_png


@dataclass(frozen=True)
class CostPoint:
    """One method."""

    method: str
    cost: float
    """In forward-equivalents."""
    skill: dict[str, float]
    """Panel to mean skill."""
    oracle: bool


def draw_cost(points: Sequence[CostPoint], panels: Sequence[str]) -> bytes:
    """Draw skill against cost, a panel for each kind of skill.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(9, 4.6 * len(panels)), layout="constrained")
    for axes, panel in zip(figure.subplots(len(panels)), panels, strict=True):
        _draw_panel(axes, points, panel)
    return to_png(figure)


def _draw_panel(axes: Axes, points: Sequence[CostPoint], panel: str) -> None:
    for point in points:
        colour = CONTROL if point.oracle else ATTENTION
        axes.plot(point.cost, point.skill[panel], "o", color=colour, markersize=4)
        axes.annotate(
            point.method,
            (point.cost, point.skill[panel]),
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=6,
        )
    best, front = -1.0, []
    for point in sorted((p for p in points if not p.oracle), key=lambda p: p.cost):
        best = max(best, point.skill[panel])
        front.append((point.cost, best))
    if front:
        axes.step(*zip(*front, strict=True), where="post", color=METHOD, linewidth=1)
    axes.axhline(0.0, color="black", linewidth=0.5)
    axes.set_xscale("log")
    axes.set_title(panel)
    axes.set_xlabel("cost in forward-equivalents")
    axes.set_ylabel("mean skill")
