"""A repository with as many submissions as wanted, which no model was run for.

``python -m tests.benchmarks.many_submissions FOLDER 1000 [TASKS]`` writes one, with ten
tasks by default.
"""

import sys
from pathlib import Path

import numpy as np

from bench.profiles.promptwise import PROFILES
from bench.results.attribution_record import AttributionRecord, task_key
from bench.results.reference_record import Reference
from bench.results.store import to_json, write_atomically
from bench.results.trusted import Trusted
from bench.scores.overlap import overlap
from bench.submissions.manifest import (
    FOLDER,
    MANIFEST,
    README,
    FileEntry,
    Manifest,
    SuiteKey,
    file_entry,
    file_name,
    sealed,
)
from tests.conftest import PROVENANCE
from tests.leaderboard.simulated import method_key, simulated_suite

TASKS = 10
PROMPTS = 16
KINDS = 20
"""Different answers there are; methods beyond take them in turn."""
NAME = "method-00000"


def write_repository(root: Path, n_submissions: int, *, tasks: int = TASKS) -> None:
    """Write tasks, references and submissions."""
    trusted = simulated_suite(root, [(0.05, 0.1)] * tasks)
    names = trusted.suite("core").tasks
    kinds = [
        {task: answer(trusted, task, noise=kind / KINDS) for task in names}
        for kind in range(min(KINDS, n_submissions))
    ]
    files = [{t: to_json(record) for t, record in kind.items()} for kind in kinds]
    for number in range(n_submissions):
        kind = number % KINDS
        name = f"method-{number:05}"
        named = {
            task: text.replace(NAME.encode(), name.encode())
            for task, text in files[kind].items()
        }
        write_submission(root / FOLDER / name, named, manifest(kinds[kind], trusted))


def answer(trusted: Trusted, task: str, *, noise: float) -> AttributionRecord:
    """Answer with the reference's emergence and noise, prompt by prompt."""
    reference = trusted.reference(task)
    truth = reference.promptwise.profile("emergence")
    rng = np.random.default_rng([int(100 * noise), len(truth)])
    rows = truth + noise * truth.max() * rng.normal(size=(PROMPTS, len(truth)))
    return AttributionRecord(
        task=task_key(trusted.tasks[task]),
        method=method_key(NAME, origin="file"),
        values=tuple(rows.mean(axis=0).tolist()),
        per_prompt=tuple(map(tuple, rows.tolist())),
        untrained=(1.0,) * len(truth),
        untrained_reason=None,
        cost_forward_equivalents=1.0 + noise,
        cost_reason=None,
        wall_s=1.0,
        provenance=PROVENANCE,
    )


def manifest(records: dict[str, AttributionRecord], trusted: Trusted) -> Manifest:
    """Say what a submission of these records holds; files are added later."""
    claims = {
        task: claimed(record, trusted.reference(task))
        for task, record in records.items()
    }
    return Manifest(
        method=next(iter(records.values())).method,
        suite=SuiteKey(name="core", version="1.0"),
        files=(FileEntry(task="none", path="none.json", bytes=1, sha256="0" * 64),),
        claimed_overlap=claims,
        bench="0.1.0",
        digest="0" * 64,
    )


def claimed(record: AttributionRecord, reference: Reference) -> dict:
    """Claim what is right."""
    # as they are read back
    stored = AttributionRecord.model_validate_json(to_json(record))
    return {
        name: overlap(stored.writes.values, reference.promptwise.profile(name)).value
        for name in PROFILES
    }


def write_submission(folder: Path, files: dict[str, bytes], said: Manifest) -> None:
    """Write one submission."""
    for task, data in files.items():
        write_atomically(folder / file_name(task), data)
    entries = tuple(file_entry(task, data) for task, data in files.items())
    method = said.method.model_copy(update={"name": folder.name})
    named = said.model_copy(update={"files": entries, "method": method})
    write_atomically(folder / README, b"# A method\n")
    write_atomically(folder / MANIFEST, to_json(sealed(named)))


if __name__ == "__main__":
    settings = {"tasks": int(sys.argv[3])} if len(sys.argv) > 3 else {}
    write_repository(Path(sys.argv[1]), int(sys.argv[2]), **settings)
