"""Records of reproductions: which are waited for, and which are accepted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.results.provenance import Provenance
from bench.results.reproduction_record import (
    Isolation,
    ReproductionRecord,
    reproduction_path,
)
from bench.results.store import to_json, write_atomically
from bench.results.trusted import Trusted
from bench.submissions.manifest import FOLDER, read_manifest
from bench.submissions.pack import pack_submission
from bench.tasks.digest import sha256_of_file
from tests.rehearsal.hub import git

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".github" / "records.py"
NAME = "my-method"

Ran = subprocess.CompletedProcess[str]
Make = Callable[..., ReproductionRecord]


def run(at: Path, *arguments: str | Path) -> Ran:
    """Run the script in a repository."""
    return subprocess.run(
        [sys.executable, "-P", SCRIPT, *arguments],
        cwd=at,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def submitted(
    trusted: Trusted,
    repository: Path,
    write_results: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """A submission with code, in no commit yet."""
    source = tmp_path / "my_method.py"
    source.write_text("answer = 1\n")
    results = write_results(NAME, source_sha256=sha256_of_file(source))
    out = repository / FOLDER
    pack_submission(results, suite="core", trusted=trusted, out=out, source=source)


@pytest.fixture
def merged(repository: Path, submitted: None) -> str:
    """The commit that merged the submission; it is not the last one."""
    git("init", "--quiet", "--initial-branch=main", at=repository)
    commits = []
    for message in ("Merge", "Later"):
        git("add", "--all", at=repository)
        git("commit", "--quiet", "--allow-empty", "-m", message, at=repository)
        commits.append(git("rev-parse", "HEAD", at=repository))
    return commits[0]


@pytest.fixture
def make(merged: str, repository: Path, provenance: Provenance) -> Make:
    """Make a record of the submission, valid unless changed."""

    def make_record(**changes: object) -> ReproductionRecord:
        found = ReproductionRecord(
            method=NAME,
            digest=read_manifest(repository / "submissions" / NAME).digest,
            commit=merged,
            verdict="refused",
            reasons=("It did not answer.",),
            agreement={},
            public=(),
            fresh=(),
            gate=None,
            isolation=Isolation(kind="runner", timeout_s=1.0, memory_gb=1.0),
            wall_s=1.0,
            provenance=provenance,
        )
        return found.model_copy(update=changes)

    return make_record


@pytest.fixture
def hand_over(tmp_path: Path) -> Callable[..., Path]:
    """Put a record where an artefact lies."""

    def put(record: ReproductionRecord, name: str = NAME) -> Path:
        path = tmp_path / "artefacts" / f"record-{name}" / "record.json"
        write_atomically(path, to_json(record))
        return tmp_path / "artefacts"

    return put


def test_code_without_a_record_is_pending_at_its_merge(
    merged: str, repository: Path
) -> None:
    """The commit is that of the merge, and stays it when main goes on."""
    assert json.loads(run(repository, "pending").stdout) == [
        {"method": NAME, "commit": merged}
    ]


def test_an_accepted_record_ends_the_wait(
    repository: Path, make: Make, hand_over: Callable[..., Path]
) -> None:
    """The record is stored as it was, and nothing is pending."""
    record = make()
    done = run(repository, "accept", hand_over(record))
    assert (done.returncode, done.stdout) == (0, f"{NAME}: refused\n"), done.stderr
    assert reproduction_path(repository, NAME).read_bytes() == to_json(record)
    assert run(repository, "pending").stdout == "[]\n"


def test_a_record_of_another_state_does_not_count(
    merged: str, repository: Path, make: Make
) -> None:
    """A changed submission has another digest, and is run again."""
    path = reproduction_path(repository, NAME)
    write_atomically(path, to_json(make(digest="0" * 64)))
    assert json.loads(run(repository, "pending").stdout)[0]["commit"] == merged


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        ({"commit": "0" * 40}, NAME, "at commit 0000"),
        ({"digest": "0" * 64}, NAME, "is a record of digest 0000"),
        ({"method": "other"}, NAME, "is a record of 'other'; expected one of"),
        ({"method": "other"}, "other", "which is not waiting for it"),
    ],
)
def test_other_records_are_refused(
    repository: Path,
    make: Make,
    hand_over: Callable[..., Path],
    changes: dict[str, object],
    name: str,
    message: str,
) -> None:
    """Of another submission, another state or another commit; nothing is stored."""
    done = run(repository, "accept", hand_over(make(**changes), name))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not reproduction_path(repository, NAME).exists()


def test_what_is_no_record_is_refused(
    repository: Path, merged: str, tmp_path: Path
) -> None:
    """The artefact is read as strictly as any file of a stranger."""
    path = tmp_path / "artefacts" / f"record-{NAME}" / "record.json"
    write_atomically(path, b'{"method": "my-method", "method": "other"}')
    done = run(repository, "accept", tmp_path / "artefacts")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert str(path) in done.stderr


@pytest.mark.usefixtures("submitted")
def test_a_folder_without_history_is_an_error(repository: Path) -> None:
    """Without the commit there are no circuits."""
    done = run(repository, "pending")
    assert done.returncode == 1
    assert "No commit of 'submissions/my-method' was found" in done.stderr
