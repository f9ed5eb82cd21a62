import importlib
import pkgutil

import pytest

import bench.methods
from bench.methods.catalogue import Entry, built_in
from bench.methods.discovery import find_method
from bench.methods.protocol import Method

EACH = pytest.mark.parametrize("entry", built_in().values(), ids=lambda e: e.name)


@EACH
def test_catalogue_says_what_the_method_says(entry: Entry) -> None:
    """What is read off the source is what the decorator made of it."""
    found = find_method(entry.name)

    assert found.origin == "built-in"
    assert found.source == entry.place
    assert found.method.name == entry.name
    assert found.method.kind == entry.kind
    assert found.method.summary == entry.summary
    assert found.method.cost == entry.cost
    assert found.method.oracle == entry.oracle


def test_every_method_is_in_the_catalogue() -> None:
    """No method of the package is missing from the list."""
    places = set()
    for module in pkgutil.walk_packages(bench.methods.__path__, "bench.methods."):
        loaded = importlib.import_module(module.name)
        places |= {
            f"{module.name}:{key}"
            for key, value in vars(loaded).items()
            if isinstance(value, Method) and value.function.__module__ == module.name
        }

    assert places == {entry.place for entry in built_in().values()}


@EACH
def test_docstrings_are_complete(entry: Entry) -> None:
    """A method's module gives kind, cost, source and known failure."""
    module, _, _ = entry.place.partition(":")
    text = " ".join((importlib.import_module(module).__doc__ or "").split())

    assert f"Kind: {entry.kind}." in text
    for word in ("Cost:", "Source:", "Known failure"):
        assert word in text
    assert entry.cost
    assert entry.summary.endswith(".")
