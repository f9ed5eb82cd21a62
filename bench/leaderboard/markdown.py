"""Markdown tables: escaped, which tabulate leaves to others, and numbers alike."""

from collections.abc import Sequence

from tabulate import tabulate


def table(rows: Sequence[dict[str, str]]) -> str:
    """Write a Markdown table; escape the cells before."""
    return tabulate(
        rows, headers="keys", tablefmt="github", disable_numparse=True, missingval=""
    )


def escape(text: str) -> str:
    """Make text safe inside a Markdown table; tabulate does not."""
    text = " ".join(text.splitlines())
    for character in "\\`*_|#~!":
        text = text.replace(character, "\\" + character)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def number(value: float | None) -> str:
    """Print a value, or n/a where it is undefined."""
    # + 0.0 turns -0.00 into 0.00
    return "n/a" if value is None else f"{round(value, 2) + 0.0:.2f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Print an interval, or nothing where there is none."""
    if bounds is None:
        return ""
    return f"[{number(bounds[0])}, {number(bounds[1])}]"
