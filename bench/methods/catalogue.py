"""The built-in methods by name, readable without torch.

Their modules are parsed, not imported: what a method says of itself, in its decorator
and its docstring, stands there and nowhere else.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast

from bench.profiles.attribution import Kind

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """Where a built-in method is and what it says of itself."""

    name: str
    kind: Kind
    place: str
    """``module:attribute``."""
    cost: str
    """In forward (F) and backward (B) passes; S is the number of sections."""
    oracle: bool
    """Whether it repeats the reference's own measurement, and is not ranked."""
    summary: str
    text: str
    """The docstring of its module: formula, source, cost, known failure."""


@cache
def built_in() -> dict[str, Entry]:
    """Map the names of the built-in methods to their entries, in order of names."""
    found = (entry for path in FOLDER.rglob("*.py") for entry in _entries(path))
    return {entry.name: entry for entry in sorted(found, key=lambda e: e.name)}


def _entries(path: Path) -> Iterator[Entry]:
    """Read the methods of a module."""
    parts = path.relative_to(FOLDER).with_suffix("").parts
    module = ".".join(("bench", "methods", *parts))
    tree = ast.parse(path.read_bytes())
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and _name(call.func) == "method":
                text = ast.get_docstring(tree) or ""
                yield _entry(node, call, module, text)


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _entry(function: ast.FunctionDef, call: ast.Call, module: str, text: str) -> Entry:
    options = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    return Entry(
        name=cast(str, ast.literal_eval(call.args[0])),
        kind=cast(Kind, options["kind"]),
        place=f"{module}:{function.name}",
        cost=cast(str, options.get("cost", "")),
        oracle=cast(bool, options.get("oracle", False)),
        summary=(ast.get_docstring(function) or "").splitlines()[0],
        text=text,
    )
