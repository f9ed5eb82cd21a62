"""Markdown tables, escaped, which tabulate leaves to others."""

from collections.abc import Sequence

from tabulate import tabulate

LINKS = {"](": "]\\(", "://": "\\://", "www.": "www\\."}
"""What makes a link, to what looks alike and makes none."""


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
    for link, harmless in LINKS.items():
        text = text.replace(link, harmless)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
