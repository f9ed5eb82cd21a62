"""What people read on stdout: styled on a terminal, plain text anywhere else."""

import sys

import numpy as np
from jaxtyping import Float
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table

PLAIN_WIDTH = 400
"""Columns where nobody looks: lines of a file or a pipe are not wrapped."""
NARROW = 100
"""On terminals with fewer columns tables leave out what can be left out."""
LEVELS = "▁▂▃▄▅▆▇█"
MOST_TICKS = 48
"""Deeper profiles are drawn by the largest value of neighbours."""


def make_console() -> Console:
    """Make the console of stdout; NO_COLOR and COLUMNS are respected."""
    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    return Console(markup=False, highlight=False, width=width)


def write_out(*parts: RenderableType) -> None:
    """Print tables and sentences."""
    console = make_console()
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    for line in captured.get().splitlines():
        print(line.rstrip())  # cells are padded


def is_narrow() -> bool:
    """Whether tables should leave out what can be left out."""
    return make_console().width < NARROW


def table(*headers: str, last_wraps: bool = False) -> Table:
    """Make an empty table.

    Args:
        headers: Its columns.
        last_wraps: The last column holds sentences, the others stay whole.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in headers:
        made.add_column(header, no_wrap=last_wraps and header != headers[-1])
    return made


def sparkline(values: Float[np.ndarray, " S"]) -> str:
    """Draw a profile over depth as a line of characters, negative parts as nothing."""
    positive = np.clip(np.nan_to_num(values), 0.0, None)
    groups = np.array_split(positive, min(len(positive), MOST_TICKS))
    peaks = np.array([group.max() for group in groups])
    full = peaks.max() or 1.0
    return "".join(LEVELS[round(7 * float(peak / full))] for peak in peaks)
