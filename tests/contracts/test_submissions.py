"""Every submission in the repository."""

import numpy as np
import pytest

from bench.cli.trusted import read_trusted
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.leaderboard.rows import Row
from bench.methods.catalogue import built_in
from bench.methods.discovery import find_method
from bench.results.attribution_record import AttributionRecord
from bench.results.trusted import Trusted
from bench.submissions.manifest import FOLDER
from bench.submissions.validation import Checked, validate_submission
from bench.tasks.registry import data_root

ROOT = data_root()
SUBMISSIONS = sorted(path.name for path in (ROOT / FOLDER).iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    """The repository's own tasks and references."""
    return read_trusted(ROOT)


def checked(name: str, trusted: Trusted) -> Checked:
    """Validate a submission of the repository."""
    return validate_submission(ROOT / FOLDER / name, trusted)


@pytest.mark.parametrize("name", SUBMISSIONS)
def test_submission_is_valid(name: str, trusted: Trusted) -> None:
    """No submission on the main branch has a problem."""
    assert checked(name, trusted).problems == ()


def test_every_built_in_method_is_on_the_leaderboard() -> None:
    """A built-in method without a row would be an empty promise."""
    assert set(built_in()) <= set(SUBMISSIONS)


@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_results_come_from_the_present_source(
    name: str, trusted: Trusted
) -> None:
    """A changed method has to be evaluated again."""
    found = checked(name, trusted)

    assert found.manifest is not None
    assert found.manifest.method.source_sha256 == find_method(name).source_sha256
    assert all(
        record.provenance.git_dirty is False for record in found.records.values()
    )


@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_results_are_reproduced(name: str, trusted: Trusted) -> None:
    """Running a built-in method again gives the submitted attributions."""
    for task, record in checked(name, trusted).records.items():
        again = run_again(name, record, trusted, task)

        scale = np.abs(record.values).max()
        np.testing.assert_allclose(again, record.values, atol=1e-3 * scale)


def run_again(
    name: str, record: AttributionRecord, trusted: Trusted, task: str
) -> np.ndarray:
    """Run a method as its record says."""
    opened = OpenedTask(trusted.tasks[task], "cpu", record.provenance.seed)
    ctx = opened.context(lambda _done, _total: None)
    return run_method(find_method(name), ctx)[0].values


@pytest.mark.parametrize("name", sorted(built_in()))
def test_no_built_in_row_is_undefined(name: str, trusted: Trusted) -> None:
    """Every built-in method has a skill, so all of them are ranked."""
    found = checked(name, trusted)
    row = Row(
        method=name,
        kind="builtin",
        tier="built-in",
        summary="",
        scores=tuple(found.scores.values()),
        records=tuple(found.records.values()),
    )

    assert row.mean.score.value is not None
    assert row.ranked
