import importlib
import pkgutil

import numpy as np
import pytest

import bench.methods
from bench.methods.catalogue import BUILT_IN, Entry, built_in
from bench.methods.discovery import find_method
from bench.methods.protocol import Method, TaskContext
from bench.models.counting import forward_equivalents
from bench.profiles.attribution import as_writes, check_shape

EACH = pytest.mark.parametrize("entry", BUILT_IN, ids=lambda entry: entry.name)


@EACH
def test_catalogue_has_not_drifted(entry: Entry) -> None:
    """Name, kind and summary are those of the method itself."""
    found = find_method(entry.name)

    assert found.origin == "built-in"
    assert found.source == entry.place
    assert found.method.name == entry.name
    assert found.method.kind == entry.kind
    assert found.method.summary == entry.summary


def test_every_method_is_in_the_catalogue() -> None:
    """No method of the package is missing from the list."""
    places = set()
    for module in pkgutil.iter_modules(bench.methods.__path__):
        loaded = importlib.import_module(f"bench.methods.{module.name}")
        places |= {
            f"bench.methods.{module.name}:{key}"
            for key, value in vars(loaded).items()
            if isinstance(value, Method)
        }

    assert places == {entry.place for entry in BUILT_IN}
    assert len(built_in()) == len(BUILT_IN)


@EACH
def test_every_method_answers(entry: Entry, tiny_context: TaskContext) -> None:
    """Each answers with finite numbers of every prompt and with their mean."""
    method = find_method(entry.name).method
    answer = method(tiny_context)
    check_shape(answer, n_sections=4)

    assert answer.per_prompt is not None
    assert answer.per_prompt.shape == (3, 4)
    assert np.isfinite(answer.per_prompt).all()
    np.testing.assert_allclose(answer.per_prompt.mean(axis=0), answer.values)
    assert np.ptp(answer.values) > 1e-3
    writes = as_writes(answer, kind=method.kind)
    assert writes.per_prompt is not None
    np.testing.assert_allclose(
        writes.per_prompt.mean(axis=0), writes.values, atol=1e-12
    )


@EACH
def test_every_method_is_deterministic(entry: Entry, tiny_context: TaskContext) -> None:
    """Two runs agree."""
    method = find_method(entry.name).method

    np.testing.assert_allclose(
        method(tiny_context).values, method(tiny_context).values, rtol=1e-4, atol=1e-5
    )


FORWARDS = {
    "activation-patching-denoising": 6.0,
    "activation-patching-noising": 6.0,
    "attribution-patching": 3.0,
    "direct-logit-attribution": 1.0,
    "eap-ig": 18.0,
    "mean-ablation": 6.0,
    "prefix-matching-score": 1.0,
}
"""By hand for four sections, with a backward pass on frozen weights counted as 1."""


@EACH
def test_cost_is_as_declared(entry: Entry, tiny_context: TaskContext) -> None:
    """What is counted is what the catalogue's cost formula says for S = 4."""
    method = find_method(entry.name).method

    counted = forward_equivalents(
        tiny_context.subject, tiny_context.prompts, lambda: method(tiny_context)
    )

    assert counted == pytest.approx(FORWARDS[entry.name], rel=0.1)
