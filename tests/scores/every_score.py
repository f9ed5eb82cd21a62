"""Every score that compares an attribution with a reference, found in the package."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np
import pytest

import bench.scores
from bench.scores.score import Score, ScoreSpec
from bench.scores.skill import SKILL

Compare = Callable[[np.ndarray, np.ndarray], Score]


def _declared() -> Iterator[tuple[Compare, ScoreSpec]]:
    """Find what the modules declare, with the function of that name."""
    for module in pkgutil.iter_modules(bench.scores.__path__):
        names = vars(import_module(f"bench.scores.{module.name}"))
        for spec in [found for found in names.values() if isinstance(found, ScoreSpec)]:
            # skill compares an overlap with a yardstick; test_skill.py
            if spec is not SKILL:
                yield names[spec.name], spec


DECLARED = list(_declared())
SCORES = {spec.name: (score, spec) for score, spec in DECLARED}
"""Name to function and declaration."""

every_score = pytest.mark.parametrize(("score", "spec"), SCORES.values(), ids=SCORES)


def scores_but(names: set[str]) -> pytest.MarkDecorator:
    """Run a test for every score that is not named."""
    left = [name for name in SCORES if name not in names]
    return pytest.mark.parametrize(
        ("score", "spec"), [SCORES[name] for name in left], ids=left
    )


def best(spec: ScoreSpec) -> float:
    """Return the best value that a score can take."""
    if spec.better == "lower":
        return spec.lowest
    assert spec.highest is not None
    return spec.highest
