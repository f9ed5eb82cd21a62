"""Scoring many submissions: targets measured once against anew for each attribution.

In an ordinary run these are tests of equality; `make bench` times them side by side.
``experiments/0009-scale`` measures whole commands with up to 10,000 submissions.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cli.board_entries import leaderboard_entries
from bench.leaderboard.generate import generate
from bench.results.attribution_record import AttributionRecord
from bench.results.scoring import TaskScores, score_record
from bench.results.targets import find_targets
from bench.results.trusted import Trusted
from bench.submissions.validation import validate_submission
from tests.benchmarks.many_submissions import TASKS, write_repository

SUBMISSIONS = 3


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of ten tasks with some submissions."""
    root = tmp_path_factory.mktemp("many")
    write_repository(root, SUBMISSIONS)
    return root


@pytest.fixture(scope="module")
def records(many: Path) -> list[AttributionRecord]:
    """All attributions in it."""
    trusted = Trusted(many, built_in=frozenset())
    folders = sorted((many / "submissions").iterdir())
    checked = [validate_submission(folder, trusted) for folder in folders]
    assert not any(found.problems for found in checked)
    return [record for found in checked for record in found.records.values()]


def measured_once(many: Path, records: list[AttributionRecord]) -> list[TaskScores]:
    """The shipped one."""
    trusted = Trusted(many, built_in=frozenset())
    return [score_record(r, trusted.targets(r.task.id, "core")) for r in records]


def measured_anew(many: Path, records: list[AttributionRecord]) -> list[TaskScores]:
    """Nulls and resamples of the reference again for each attribution."""
    trusted = Trusted(many, built_in=frozenset())
    found = []
    for record in records:
        task = record.task.id
        others = trusted.others(task, "core")
        targets = find_targets(trusted.reference(task), others=others)
        found.append(score_record(record, targets))
    return found


@pytest.mark.benchmark(group="scores of many attributions")
@pytest.mark.parametrize(
    "engine", [measured_once, measured_anew], ids=lambda f: f.__name__
)
def test_scores_of_many(
    benchmark: BenchmarkFixture,
    many: Path,
    records: list[AttributionRecord],
    engine: Callable[[Path, list[AttributionRecord]], list[TaskScores]],
) -> None:
    """Both engines find the same skills and intervals."""
    for one, other in zip(
        engine(many, records), measured_anew(many, records), strict=True
    ):
        for name, scores in one.profiles.items():
            assert scores.skill == other.profiles[name].skill
            assert scores.interval == other.profiles[name].interval

    benchmark(engine, many, records)


@pytest.mark.benchmark(group="board of many submissions")
def test_board_of_many(benchmark: BenchmarkFixture, many: Path) -> None:
    """Every submission is on the board, on every task."""
    trusted = Trusted(many, built_in=frozenset())
    entries = leaderboard_entries(many, trusted)
    board = generate(entries, trusted).board
    claimed = [row for row in board.rows if row.tier == "claimed"]
    assert [row.tasks_done for row in claimed] == [TASKS] * SUBMISSIONS

    benchmark(generate, entries, trusted)
