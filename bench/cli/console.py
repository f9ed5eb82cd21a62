"""What people read on stdout: styled on a terminal, plain text anywhere else."""

import sys

import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

PLAIN_WIDTH = 400
"""Columns where nobody looks: tables in a file or a pipe are not squeezed."""
LEVELS = "▁▂▃▄▅▆▇█"
MOST_TICKS = 48
"""Deeper profiles are drawn by the largest value of neighbours."""


def make_console() -> Console:
    """Make the console of stdout; NO_COLOR and, on terminals, COLUMNS are respected."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(markup=False, emoji=False, highlight=False, width=width)


def write_out(*parts: RenderableType) -> None:
    """Print tables and sentences."""
    console = make_console()
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    for line in captured.get().splitlines():
        print(line.rstrip())  # cells are padded


def columns() -> int:
    """Return how wide tables may be."""
    return make_console().width


def table(*headers: str) -> Table:
    """Make an empty table.

    Args:
        headers: Its columns. All but the last stay whole.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in headers:
        made.add_column(header, no_wrap=header != headers[-1])
    return made


def sparkline(values: Float[np.ndarray, " S"]) -> str:
    """Draw a profile over depth as a line of characters, negative parts as nothing."""
    positive = np.clip(np.nan_to_num(values), 0.0, None)
    groups = np.array_split(positive, min(len(positive), MOST_TICKS))
    peaks = np.array([group.max() for group in groups])
    full, highest = peaks.max() or 1.0, len(LEVELS) - 1
    return "".join(LEVELS[round(highest * float(peak / full))] for peak in peaks)
