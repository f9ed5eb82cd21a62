"""Numbers as people read them, alike in the terminal, in Markdown and on pages."""


def number(value: float | None) -> str:
    """Print a value, or n/a where it is undefined."""
    # + 0.0 turns -0.00 into 0.00
    return "n/a" if value is None else f"{round(value, 2) + 0.0:.2f}"


def signed(value: float | None) -> str:
    """Print a difference with its sign."""
    return "n/a" if value is None else f"{round(value, 2) + 0.0:+.2f}"


def interval(bounds: tuple[float, float] | None) -> str:
    """Print an interval, or nothing where there is none."""
    if bounds is None:
        return ""
    return f"[{number(bounds[0])}, {number(bounds[1])}]"
