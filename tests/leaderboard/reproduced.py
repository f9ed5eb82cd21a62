"""Records of reproductions that never took place."""

from bench.profiles.promptwise import PROFILES
from bench.results.reproduction_record import (
    CircuitGrade,
    Isolation,
    ReproductionRecord,
    Verdict,
)
from tests.conftest import PROVENANCE

COMMIT = "c" * 40


def reproduction(digest: str, verdict: Verdict = "reproduced") -> ReproductionRecord:
    """Make the record of a run that never took place."""
    fresh = [
        CircuitGrade(
            task=None,
            architecture="llama",
            blocks=8,
            redundant=False,
            overlap=dict.fromkeys(PROFILES, 0.5),
            skill=dict.fromkeys(PROFILES, skill),
        )
        for skill in (0.2, 0.4)
    ]
    return ReproductionRecord(
        method="my-method",
        digest=digest,
        commit=COMMIT,
        verdict=verdict,
        reasons=() if verdict == "reproduced" else ("answers differ",),
        agreement={},
        public=(),
        fresh=tuple(fresh),
        gate=None,
        isolation=Isolation(kind="process", timeout_s=60.0, memory_gb=1.0),
        wall_s=1.0,
        provenance=PROVENANCE,
    )
