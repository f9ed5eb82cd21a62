"""What a repository says of its submissions, in the words of the ledger."""

from collections.abc import Iterable
from pathlib import Path

from bench.results.erratum_record import read_errata
from bench.results.reproduction_record import (
    ReproductionRecord,
    read_reproduction,
    reproduction_path,
)
from bench.submissions.happened import Correction, Said, Verdict
from bench.submissions.manifest import Manifest
from bench.submissions.withdrawal import Withdrawal
from bench.tasks.registry import Suite


def said_of(manifest: Manifest, suite: Suite) -> Said:
    """Say which submission it is and what it answers."""
    done = sum(entry.task in suite.tasks for entry in manifest.files)
    reason = (
        f"Suite {manifest.suite.name} {manifest.suite.version}, "
        f"{done} of {len(suite.tasks)} tasks"
    )
    if manifest.incomplete is not None:
        return manifest.digest, f"{reason}: {manifest.incomplete}"
    return manifest.digest, f"{reason}."


def withdrawn(withdrawals: Iterable[Withdrawal]) -> dict[str, Said]:
    """Say what was withdrawn, and why."""
    return {found.method: (found.digest, found.reason) for found in withdrawals}


def verdicts(root: Path) -> dict[str, Verdict]:
    """Read what reproductions said.

    Raises:
        FileFormatError: A record is malformed.
    """
    folder = reproduction_path(root, "x").parent
    records = [read_reproduction(path) for path in sorted(folder.glob("*.json"))]
    return {record.method: _verdict(record) for record in records}


def _verdict(record: ReproductionRecord) -> Verdict:
    on = f"on circuits from commit {record.commit[:12]}"
    if record.verdict == "reproduced":
        return Verdict(record.digest, "reproduced", f"Run again {on}.")
    reasons = "; ".join(reason.rstrip(".") for reason in record.reasons)
    return Verdict(record.digest, "refused", f"Run again {on}: {reasons}.")


def corrections(root: Path) -> list[Correction]:
    """Read which submissions the errata moved.

    Raises:
        FileFormatError: An erratum is malformed or missing.
    """
    return [
        Correction(
            f"Erratum {number:04}: {erratum.reason}",
            {row.method: row.digest for row in erratum.rows if row.digest is not None},
        )
        for number, erratum in enumerate(read_errata(root), start=1)
    ]
