"""State and write are told apart in one place, and taking one for the other costs."""

import numpy as np
import pytest

from bench.cli.trusted import read_trusted
from bench.methods.catalogue import built_in
from bench.profiles.attribution import Kind
from bench.results.attribution_record import read_attribution
from bench.results.trusted import Trusted
from bench.scores.overlap import overlap
from bench.submissions.manifest import FOLDER, file_name
from bench.tasks.registry import data_root

ROOT = data_root()

OPPOSITE: dict[Kind, Kind] = {"state": "write", "write": "state"}

ARCHITECTURES = ("gpt2", "llama", "gemma2")
WHERE = {
    "state": [f"induction/planted-{name}" for name in ARCHITECTURES],
    "write": [f"induction/small-{name}" for name in ARCHITECTURES],
}
"""Tasks on which taking a kind for the other shows. States that are not differenced
stay up behind the one section of a planted circuit; on trained models much of the
emergence lies behind the onset, where such a step covers it by chance. Writes that are
differenced lose what comes in a row, of which a planted circuit has nothing."""


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    """The repository's tasks and references."""
    return read_trusted(ROOT)


def mean_overlap(trusted: Trusted, name: str, kind: Kind) -> float:
    """Average a stored method's overlap with emergence, taken as a kind."""
    overlaps: list[float] = []
    for task in WHERE[built_in()[name].kind]:
        record = read_attribution(ROOT / FOLDER / name / file_name(task))
        method = record.method.model_copy(update={"kind": kind})
        values = record.model_copy(update={"method": method}).writes.values
        target = trusted.reference(task).promptwise.profile("emergence")
        overlaps.append(overlap(values, target).value or 0.0)
    return float(np.mean(overlaps))


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

    assert right > wrong + 0.05
