"""What all plots share: size, colours that colour-blind readers can tell apart."""

from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

ATTENTION = "#0072b2"
MLP = "#e69f00"
REFERENCE = "#555555"
METHOD = "#d55e00"
CONTROL = "#009e73"

MOST_LABELS = 32
"""With more sections than this only some get a label."""


def to_png(figure: Figure) -> bytes:
    """Draw a figure as PNG, without a date, so that equal data gives equal bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def label_sections(axes: Axes, names: tuple[str, ...]) -> None:
    """Name the sections below a plot."""
    step = 1 + (len(names) - 1) // MOST_LABELS
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=90, fontsize=7)


def section_colours(names: tuple[str, ...]) -> list[str]:
    """Colour attention and MLP sections differently."""
    return [ATTENTION if name.startswith("attn") else MLP for name in names]
