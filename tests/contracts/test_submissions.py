"""Every submission in the repository."""

from functools import cache

import numpy as np
import pytest

from bench.cli.trusted import read_trusted
from bench.evaluation.answers import run_method
from bench.evaluation.contexts import OpenedTask
from bench.leaderboard.rows import Row
from bench.methods.catalogue import built_in
from bench.methods.discovery import find_method
from bench.profiles.promptwise import PROFILES, ProfileName
from bench.results.attribution_record import AttributionRecord
from bench.results.trusted import Trusted
from bench.submissions.manifest import FOLDER
from bench.submissions.validation import Checked, validate_submission
from bench.tasks.planted import draw_placement
from bench.tasks.registry import data_root

ROOT = data_root()
SUBMISSIONS = sorted(path.name for path in (ROOT / FOLDER).iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def trusted() -> Trusted:
    """The repository's own tasks and references."""
    return read_trusted(ROOT)


@cache
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


CHEAP = 5.0
"""Forward-equivalents up to which a method is run again on every task."""
QUICK = "induction/small-llama"
"""Where the others are run again."""
LEARNED = {"optimal-ablation", "subnetwork-probing", "tuned-lens"}
"""Many steps, each from the last, amplify rounding."""


@pytest.mark.parametrize("name", sorted(built_in()))
def test_built_in_results_are_reproduced(name: str, trusted: Trusted) -> None:
    """Running a built-in method again gives the submitted attributions."""
    for task, record in checked(name, trusted).records.items():
        cost = record.cost_forward_equivalents
        if task != QUICK and (cost is None or cost > CHEAP):
            continue
        again = run_again(name, record, trusted, task)

        scale = np.abs(record.values).max()
        tolerance = 0.02 if name in LEARNED else 1e-3
        np.testing.assert_allclose(again, record.values, atol=tolerance * scale)


def run_again(
    name: str, record: AttributionRecord, trusted: Trusted, task: str
) -> np.ndarray:
    """Run a method as its record says."""
    ctx = opened(trusted, task, record.provenance.seed).context(lambda _d, _t: None)
    return run_method(find_method(name), ctx)[0].values


@cache
def opened(trusted: Trusted, task: str, seed: int) -> OpenedTask:
    """Load a task's model once for all methods."""
    return OpenedTask(trusted.tasks[task], "cpu", seed)


RANKED = sorted(name for name, entry in built_in().items() if not entry.oracle)


@pytest.mark.parametrize("name", RANKED)
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
        suite_tasks=trusted.suites["core"].tasks,
    )

    assert row.mean.score.value is not None
    assert row.ranked


PLANTED = [f"induction/planted-{name}" for name in ("gpt2", "llama", "gemma2")]
"""Where the truth is known."""


@pytest.mark.parametrize("profile", PROFILES)
def test_some_method_finds_what_was_planted(
    profile: ProfileName, trusted: Trusted
) -> None:
    """At least one ranked method has an overlap of 0.9 on every planted circuit."""
    worst = {
        name: min(scores[task].profiles[profile].overlap.value or 0 for task in PLANTED)
        for name in RANKED
        for scores in [checked(name, trusted).scores]
    }

    assert max(worst.values()) >= 0.9


BREAKING = [
    "mean-ablation",
    "optimal-ablation",
    "resample-ablation",
    "write-patching-noising",
    "zero-ablation",
]
"""Methods that take a part out of the clean run."""


@pytest.mark.parametrize("name", BREAKING)
@pytest.mark.parametrize("task", PLANTED)
def test_taking_out_finds_the_previous_token_section(
    name: str, task: str, trusted: Trusted
) -> None:
    """The section that binds a token to the one before is among the first two."""
    source = trusted.tasks[task].spec.model
    assert source.planted is not None
    placement = draw_placement(source.planted, blocks=source.blocks)
    values = checked(name, trusted).records[task].writes.values

    assert placement.previous in np.argsort(-values)[:2]
