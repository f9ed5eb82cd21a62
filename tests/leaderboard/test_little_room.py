"""Profiles on which a null comes close to the ceiling: shown, marked, never counted."""

import re
from collections.abc import Iterator

import numpy as np
import pytest

from bench.leaderboard.generate import Leaderboard, generate
from bench.leaderboard.rows import Entry, Row
from bench.profiles.promptwise import PROFILES
from bench.scores import bootstrap
from bench.scores.nulls import attention_only
from bench.scores.skill import SMALLEST_ROOM
from tests.leaderboard.simulated import copied, method_key, scored, simulated_suite

FLAT = [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]
"""With as much on every section as at the peak, a constant holds nine tenths."""
TASKS = [f"induction/task-0{number}" for number in range(3)]
_, HALF_FLAT, WHOLLY_FLAT = TASKS


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaderboard]:
    """Two methods, both right, but one of them not on the task that is flat."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "N_RESAMPLES", 2)
        trusted = simulated_suite(tmp_path_factory.mktemp("flat"), FLAT)
        right = copied(trusted.references, np.random.default_rng(0), noise=0.0)
        size = len(right[WHOLLY_FLAT])
        answers = {
            "right": right,
            "nearly-right": {**right, WHOLLY_FLAT: attention_only(size)},
        }
        entries = [
            Entry(method_key(name), (), scored(trusted.references, answer))
            for name, answer in answers.items()
        ]
        yield generate(entries, trusted)


@pytest.fixture(scope="module")
def methods(board: Leaderboard) -> dict[str, Row]:
    """The two methods' rows."""
    return {row.method: row for row in board.rows if row.kind == "builtin"}


def test_a_null_near_the_ceiling_unranks_the_profile(board: Leaderboard) -> None:
    """For every row alike: there is room, but less than 0.3."""
    for row in board.rows:
        for scores, flat in zip(row.scores, FLAT, strict=True):
            for name, added in zip(PROFILES, flat, strict=True):
                profile = scores.profiles[name]
                assert profile.ranked == (added == 0.0)
                assert (0.0 < profile.yardstick.room < SMALLEST_ROOM) == (added > 0.0)
                assert profile.skill.value is not None


def test_what_is_unranked_does_not_count(methods: dict[str, Row]) -> None:
    """One task counts by its other profile alone, one not at all."""
    right, nearly = methods["right"].mean, methods["nearly-right"].mean
    half = methods["right"].scores[1].profiles["emergence"].skill.value

    assert set(right.by_task) == set(TASKS) - {WHOLLY_FLAT}
    assert right.by_task[HALF_FLAT] == half
    assert right.score.value == pytest.approx(np.mean(list(right.by_task.values())))
    assert (nearly.score, nearly.interval) == (right.score, right.interval)


def test_what_is_unranked_is_shown(board: Leaderboard) -> None:
    """Both methods have the same place; only the scores of the task tell them apart."""
    rows = {row.method: row for row in board.board.rows}
    right, nearly = rows["right"], rows["nearly-right"]

    assert right.rank_interval == nearly.rank_interval == (1, 2)
    for name in PROFILES:
        found = [row.tasks[WHOLLY_FLAT].profiles[name] for row in (right, nearly)]
        assert [profile.ranked for profile in found] == [False, False]
        assert found[0].skill == 1.0
        assert found[1].skill == -1.0


def test_what_is_unranked_is_marked(board: Leaderboard) -> None:
    """In Markdown, beside the null and the ceiling of just this profile."""
    family = board.files["leaderboard.md"].partition("\n## Family induction\n")[2]
    (line,) = re.findall(r"^\| best null - ceiling .*$", family, re.MULTILINE)
    cells = [cell.split(",") for cell in re.split(r" *\| *", line)[2:-1]]
    marked = [["(!)" in profile for profile in cell] for cell in cells]

    assert marked == [[added > 0.0 for added in flat] for flat in FLAT]
