"""State and write are told apart in one place, and taking one for the other costs."""

from pathlib import Path

import pytest

from bench.cli.trusted import read_trusted
from bench.methods.catalogue import built_in
from bench.results.scoring import score_record
from bench.results.trusted import Trusted
from bench.submissions.collect import collect_submissions

ROOT = Path(__file__).parents[2]

OPPOSITE = {"state": "write", "write": "state"}


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    """The repository's tasks and references."""
    return read_trusted(ROOT)


def mean_overlap(trusted: Trusted, name: str, kind: str) -> float:
    """Average a stored method's overlap with emergence, taken as a kind."""
    [found] = [
        s for s in collect_submissions(ROOT, trusted) if s.manifest.method.name == name
    ]
    overlaps = []
    for task, record in found.records.items():
        method = record.method.model_copy(update={"kind": kind})
        changed = record.model_copy(update={"method": method})
        scores = score_record(changed, trusted.reference(task))
        overlaps.append(scores.profiles["emergence"].overlap.value or 0.0)
    return sum(overlaps) / len(overlaps)


@pytest.mark.parametrize(
    "name",
    [
        "activation-patching-denoising",
        "activation-patching-noising",
        "logit-lens",
        "direct-logit-attribution",
        "attribution-patching",
    ],
)
def test_the_wrong_kind_scores_worse(trusted: Trusted, name: str) -> None:
    """Numbers of states taken for writes, or the reverse, find less."""
    kind = built_in()[name].kind
    right, wrong = (mean_overlap(trusted, name, k) for k in (kind, OPPOSITE[kind]))

    assert right > wrong + 0.1
