"""Read the repository's own tasks and references."""

from pathlib import Path

from bench.methods.catalogue import built_in
from bench.results.targets import NORM_GROWTH, OTHER_TASKS, UNTRAINED_REFERENCE
from bench.results.trusted import Trusted
from bench.scores.nulls import ANALYTIC, RANDOM
from bench.tasks.digest import sha256_of_file
from bench.tasks.registry import PACKAGE

NULLS = frozenset({*ANALYTIC, RANDOM, NORM_GROWTH, UNTRAINED_REFERENCE, OTHER_TASKS})


def built_in_names() -> frozenset[str]:
    """Return the names of built-in and null methods, which nobody else may use."""
    return NULLS.union(built_in())


def read_trusted(root: Path) -> Trusted:
    """Read what submissions are validated against."""
    sources = {name: _source(entry.place) for name, entry in built_in().items()}
    return Trusted(
        root,
        built_in=built_in_names(),
        sources=sources,
        oracles=frozenset(name for name, entry in built_in().items() if entry.oracle),
    )


def _source(place: str) -> str:
    """Take the digest of a built-in method's file without importing it."""
    module = place.partition(":")[0].split(".")[1:]
    return sha256_of_file(PACKAGE.joinpath(*module).with_suffix(".py"))
